"""torch's random numbers on the CPU, drawn by torch and checked against Python code that says how."""

import math

import torch


class MersenneTwister:
    def __init__(self, seed):
        self.state = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            previous = self.state[-1]
            self.state.append((1812433253 * (previous ^ (previous >> 30)) + i) & 0xFFFFFFFF)
        self.at = 624

    def next(self):
        if self.at == 624:
            s = self.state
            for i in range(624):
                y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7FFFFFFF)
                s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
            self.at = 0
        y = self.state[self.at]
        self.at += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return (y ^ (y >> 18)) & 0xFFFFFFFF


def stream(out):
    out.cases["exponentials"] = []
    for seed in (0, 42, 2**31 + 5):
        torch.manual_seed(seed)
        drawn = torch.empty(1, 64).exponential_(1)[0]
        mt = MersenneTwister(seed)
        mine = []
        for _ in range(64):
            word = (mt.next() << 32) | mt.next()
            u = (word & ((1 << 53) - 1)) / (1 << 53)
            mine.append(torch.tensor(-math.log1p(-u), dtype=torch.float64).to(torch.float32))
        mine = torch.stack(mine)
        print("exponentials differ at seed", seed, "by", (drawn - mine).abs().max().item(), "relative", ((drawn - mine) / drawn).abs().max().item())
        out.cases["exponentials"].append({"seed": seed, "bits": [int(x.view(torch.int32)) for x in drawn]})
    # The way torch draws: the largest p / e. Large matrices too.
    for rows, v in ((1, 400), (5, 400), (3, 50257)):
        for seed in range(12):
            p = torch.softmax(3 * torch.randn(rows, v, generator=torch.Generator().manual_seed(seed)), -1)
            torch.manual_seed(seed)
            drawn = torch.multinomial(p, 1)[:, 0]
            mt = MersenneTwister(seed)
            e = torch.tensor([-math.log1p(-(((mt.next() << 32 | mt.next()) & ((1 << 53) - 1)) / (1 << 53))) for _ in range(rows * v)], dtype=torch.float64).to(torch.float32).view(rows, v)
            if not torch.equal((p / e).argmax(-1), drawn):
                print("multinomial differs", rows, v, seed)
