"""What pack.py writes can be read back, in every type. Needs numpy, gguf and safetensors."""

import json
import tempfile
import unittest
from pathlib import Path

try:
    import gguf
    import numpy as np

    import pack
except ImportError as missing:
    raise unittest.SkipTest(str(missing)) from None

SHIPPED = Path(__file__).parent.parent / "models/block"


def shipped_tensors() -> dict[str, np.ndarray]:
    read = gguf.GGUFReader(SHIPPED / "model.gguf").tensors
    return {t.name: gguf.dequantize(t.data, t.tensor_type).reshape([int(n) for n in t.shape][::-1]).astype(np.float32) for t in read}


class Types(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "model.gguf"
        self.config = json.loads((SHIPPED / "config.json").read_text("utf-8"))
        self.tensors = shipped_tensors()

    def write(self, name: str) -> pack.Type:
        type = pack.TYPES[name]
        pack.write_gguf(self.path, "ridgepoint-tiny-block", SHIPPED, self.config, self.tensors, type)
        return type

    def test_every_type_is_read_back_within_its_step(self):
        sizes = {}
        for name in pack.TYPES:
            with self.subTest(name):
                pack.verify(self.path, self.tensors, self.write(name))
                sizes[name] = self.path.stat().st_size
        self.assertEqual(sorted(sizes, key=sizes.get), ["q4_0", "q4_1", "q8_0", "f32"])

    def test_a_wrong_weight_is_found_in_every_type(self):
        for name in pack.TYPES:
            with self.subTest(name):
                type = self.write(name)
                tensor = "blk.2.ffn_up.weight"
                wrong = {**self.tensors, tensor: self.tensors[tensor].copy()}
                wrong[tensor][7, 5] += 4 * np.abs(wrong[tensor][7]).max()
                with self.assertRaises((SystemExit, AssertionError)):
                    pack.verify(self.path, wrong, type)

    def test_a_file_of_another_type_is_found(self):
        self.write("q4_0")
        with self.assertRaises(SystemExit):
            pack.verify(self.path, self.tensors, pack.TYPES["q4_1"])

    def test_the_same_weights_give_the_same_bytes(self):
        self.write("q4_0")
        once = self.path.read_bytes()
        self.write("q4_0")
        self.assertEqual(once, self.path.read_bytes())

    def test_rows_of_q_and_k_are_interleaved_by_head(self):
        # One head of 4 rows: halves (0, 1 | 2, 3) become pairs (0, 2, 1, 3).
        w = np.arange(4, dtype=np.float32).reshape(4, 1)
        self.assertEqual(pack.interleave(w, 1)[:, 0].tolist(), [0, 2, 1, 3])


if __name__ == "__main__":
    unittest.main()
