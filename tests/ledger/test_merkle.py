import pytest

from ledger import merkle

# The test vectors of the RFC 6962 reference implementation (certificate-transparency).
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(bytes.fromhex(text)) for text in INPUTS]


def test_published_roots():
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [merkle.root(LEAVES[:n]).hex() for n in range(1, 9)] == ROOTS


def test_published_inclusion_proof():
    assert [digest.hex() for digest in merkle.inclusion_proof(LEAVES[:5], 1)] == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


@pytest.mark.parametrize("count", range(1, 20))
def test_inclusion_proofs(count):
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(count)]
    root = merkle.root(leaves)
    for index in range(count):
        proof = merkle.inclusion_proof(leaves, index)
        assert len(proof) <= (count - 1).bit_length()
        assert merkle.check_inclusion(leaves[index], index, count, proof, root)
        assert not merkle.check_inclusion(merkle.leaf_hash(b"no"), index, count, proof, root)
        assert not merkle.check_inclusion(leaves[index], index, count, [*proof, root], root)
        assert not merkle.check_inclusion(leaves[index], index, count, proof[:-1], root) or not proof
        if count > 1:
            assert not merkle.check_inclusion(leaves[index], (index + 1) % count, count, proof, root)


@pytest.mark.parametrize("count", range(1, 20))
def test_consistency_proofs(count):
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(count)]
    root = merkle.root(leaves)
    for old in range(1, count + 1):
        proof = merkle.consistency_proof(leaves, old)
        old_root = merkle.root(leaves[:old])
        assert merkle.check_consistency(old, old_root, count, root, proof)
        assert not merkle.check_consistency(old, merkle.leaf_hash(b"no"), count, root, proof)
        assert not merkle.check_consistency(old, old_root, count, merkle.leaf_hash(b"no"), proof)


def test_a_growing_tree_has_the_root_of_its_leaves():
    tree, leaves = merkle.Frontier(), []
    for number in range(70):
        assert (tree.count, tree.root()) == (number, merkle.root(leaves))
        leaves.append(merkle.leaf_hash(bytes([number])))
        tree.append(leaves[-1])


def test_out_of_range():
    with pytest.raises(ValueError, match="leaf 3"):
        merkle.inclusion_proof(LEAVES[:3], 3)
    with pytest.raises(ValueError, match="old size 0"):
        merkle.consistency_proof(LEAVES, 0)
    assert not merkle.check_inclusion(LEAVES[0], 0, 0, [], merkle.EMPTY_ROOT)
    assert not merkle.check_consistency(0, merkle.EMPTY_ROOT, 3, merkle.root(LEAVES[:3]), [])
