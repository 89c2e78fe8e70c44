"""Learned policies: networks, training by RLlib's PPO, and checkpoints that play without ray or torch."""
