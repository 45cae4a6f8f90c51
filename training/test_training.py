"""Tests of the trainer that need torch: python -m unittest discover training -p "test_*.py" """

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import torch
except ImportError:
    raise unittest.SkipTest("torch is not installed") from None

import decode
import export
import objectives
import train
from model import LM, Cache, Config, causal, dense
from muon import orthogonal

SMALL = Config(vocabulary=300, hidden=32, layers=2, heads=4, kv_heads=2, ffn=48)


def batch(T: int = 48) -> objectives.Batch:
    g = torch.Generator().manual_seed(3)
    digit = torch.zeros(300, dtype=torch.bool)
    digit[20:30] = True
    return objectives.Batch(torch.randint(4, 300, (4, T), generator=g), torch.tensor([5, 17, 16, 20]), torch.tensor([30, 40, T, 33]), digit)


class Objectives(unittest.TestCase):
    def test_the_sparse_attention_of_two_copies_is_the_masked_one(self):
        T, first, B = 48, 16, 2
        g = torch.Generator().manual_seed(1)
        S = T + 2 * (T - first)
        q, k, v = torch.randn(B, 2, 3, S, 8, generator=g), torch.randn(B, 2, S, 8, generator=g), torch.randn(B, 2, S, 8, generator=g)
        at = torch.arange(T)
        block = torch.cat([at, at[first:], at[first:]]) // objectives.BLOCK
        copy = torch.tensor([0] * T + [1] * (T - first) + [2] * (T - first))
        same = (copy[:, None] == copy) & (block[:, None] == block)
        before = (copy == 0) & (block[:, None] > block)
        expected = dense(torch.where(same | before, 0.0, -1e4))(q, k, v)
        torch.testing.assert_close(objectives.two_copies(T, first)(q, k, v), expected)

    def test_no_loss_depends_on_the_tokens_of_the_prompt_being_predicted(self):
        for name, objective in objectives.OBJECTIVES.items():
            torch.manual_seed(0)
            m = LM(SMALL)
            loss = objective(m, batch(), torch.Generator().manual_seed(1))
            self.assertTrue(torch.isfinite(loss), name)
            loss.backward()
            self.assertGreater(m.layers[0].qkv.weight.grad.norm().item(), 0, name)

    def test_block_reveals_nothing_of_a_token_to_its_own_prediction(self):
        # A model that has learnt nothing must lose about ln(vocabulary): a leak through the clean copy would not.
        torch.manual_seed(0)
        m, b, c = LM(SMALL), batch(), batch()
        answer = torch.arange(48) >= b.prompt[:, None]
        last = torch.arange(48) >= 32
        c.ids[:, 40] = (c.ids[:, 40] + 1) % 296 + 4
        h1, h2 = (m.hidden(torch.cat([x.ids, torch.full((4, 64), 1)], 1), torch.cat([torch.arange(48), torch.arange(16, 48), torch.arange(16, 48)]), objectives.two_copies(48, 16)) for x in (b, c))
        self.assertTrue(bool((answer & last).any()))
        torch.testing.assert_close(h1[:, 48:], h2[:, 48:])  # noisy copies do not see clean tokens of their own block
        torch.testing.assert_close(h1[:, :32], h2[:, :32])  # nor do clean blocks see later ones


class Steps(unittest.TestCase):
    def test_muon_makes_singular_values_about_one(self):
        s = torch.linalg.svdvals(orthogonal(torch.randn(3, 24, 40, generator=torch.Generator().manual_seed(0))))
        self.assertTrue(bool(((s > 0.6) & (s < 1.3)).all()), s)

    def test_a_run_that_was_stopped_and_resumed_is_the_run_that_was_not(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(Path(train.__file__)), "base", "--threads", "1"]
            for name, stops in (("whole", [10]), ("halves", [3, 10])):
                for stop in stops:
                    subprocess.run([*command, "--runs", f"{folder}/{name}", "--steps", str(stop)], check=True, capture_output=True)
            a, b = (torch.load(Path(folder, name, "1", "base", "checkpoint.pt"))["weights"] for name in ("whole", "halves"))
            for key in a:
                torch.testing.assert_close(a[key], b[key], rtol=0, atol=0)


class Decoding(unittest.TestCase):
    def test_a_cache_changes_nothing_for_a_causal_model(self):
        torch.manual_seed(0)
        m = LM(SMALL).eval()
        ids = torch.randint(4, 300, (2, 12))
        whole = m.hidden(ids, attend=dense(causal(12)))
        cache = Cache(SMALL, 2, 12)
        cache.places = torch.arange(7)
        m.hidden(ids[:, :7], cache.places, dense(torch.where(torch.arange(12) <= cache.places[:, None], 0.0, -1e4)), cache)
        cache.places = torch.arange(7, 12)
        rest = m.hidden(ids[:, 7:], cache.places, dense(torch.where(torch.arange(12) <= cache.places[:, None], 0.0, -1e4)), cache)
        torch.testing.assert_close(rest, whole[:, 7:], rtol=1e-4, atol=1e-5)

    def test_export_keeps_every_weight(self):
        torch.manual_seed(0)
        m = LM(SMALL)
        back = export.from_hf(export.to_hf(m), export.config_of(SMALL, "mdlm"))
        for (name, a), (_, b) in zip(m.state_dict().items(), back.state_dict().items()):
            torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)

    def test_the_final_number_is_read_as_gsm8k_reads_it(self):
        self.assertEqual(decode.final("a #### 7 then #### 1,250"), "1250")
        self.assertIsNone(decode.final("#### none"))


if __name__ == "__main__":
    unittest.main()
