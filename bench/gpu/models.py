"""The neural networks of bench/gpu, in plain PyTorch: sizes as published, weights random. Nothing is downloaded."""

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def split(self, x):
        batch, length, _ = x.shape
        return (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))

    def forward(self, x, cache=None, position=None):
        query, key, value = self.split(x)
        if cache is not None:  # one token: keys and values before it are kept, those after it masked
            cache[0].index_copy_(2, position, key)
            cache[1].index_copy_(2, position, value)
            mask = torch.arange(cache[0].shape[2], device=x.device) <= position
            y = F.scaled_dot_product_attention(query, cache[0], cache[1], attn_mask=mask[None, None, None, :])
        else:
            y = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(x.shape))


class Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x, cache=None, position=None):
        x = x + self.attention(self.norm1(x), cache, position)
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """BERT (not causal) and GPT (causal) by the same blocks."""

    def __init__(self, words, width, layers, heads, length, causal):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, causal) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words if causal else 2)

    def forward(self, tokens, caches=None, position=None):
        places = position if position is not None else torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.places(places)
        for index, block in enumerate(self.blocks):
            x = block(x, caches[index] if caches is not None else None, position)
        return self.head(self.norm(x))


class Bottleneck(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        after = 4 * width
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Identity() if before == after and stride == 1 else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


class ResNet50(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                  nn.MaxPool2d(3, 2, 1)]
        before = 64
        for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for index in range(count):
                layers.append(Bottleneck(before, width, stride if index == 0 else 1))
                before = 4 * width
        self.body, self.head = nn.Sequential(*layers), nn.Linear(before, classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


class ViT(nn.Module):
    def __init__(self, size=224, patch=16, width=768, layers=12, heads=12, classes=1000):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads, False) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


class Sizes:
    """small: for trying the script out on a processor."""

    def __init__(self, small):
        self.image = 64 if small else 224
        self.length = 16 if small else 128
        self.bert = (1000, 64, 2, 4) if small else (30522, 512, 4, 8)
        self.gpt = (1000, 64, 2, 4) if small else (32000, 1024, 12, 16)
        self.trained = (1000, 64, 2, 4) if small else (32000, 768, 8, 12)
        self.batch = 2 if small else 32
        self.tokens = 4 if small else 32


def inference(name, device, small, graphs=False):
    """A function that serves one request and ends with the answer on the host."""
    sizes = Sizes(small)
    half = torch.float16 if device == "cuda" else torch.float32
    if name == "llm":
        return _decode(sizes, device, half, graphs)
    if name == "bert":
        model = Transformer(*sizes.bert, sizes.length, causal=False)
        given = torch.randint(0, sizes.bert[0], (1, sizes.length), device=device)
    else:
        model = ResNet50() if name == "resnet50" else ViT(size=sizes.image, **(
            {"width": 64, "layers": 2, "heads": 4} if small else {}))
        given = torch.randn(1, 3, sizes.image, sizes.image, device=device, dtype=half)
    model = model.to(device, half).eval()

    def request():
        with torch.inference_mode():
            return model(given).argmax(-1).flatten()[0].item()

    return request


def _decode(sizes, device, half, graphs):
    """Decoding token by token, each looked at by the host before the next, as servers do."""
    words, width, layers, heads = sizes.gpt
    room = sizes.tokens + 8
    model = Transformer(words, width, layers, heads, room, causal=True).to(device, half).eval()
    caches = [[torch.zeros(1, heads, room, width // heads, device=device, dtype=half) for _ in range(2)]
              for _ in range(layers)]
    token = torch.zeros(1, 1, dtype=torch.long, device=device)
    position = torch.zeros(1, dtype=torch.long, device=device)

    def step():
        chosen = model(token, caches, position)[:, -1].argmax(-1, keepdim=True)
        token.copy_(chosen)
        position.add_(1)

    run = step
    if graphs and device == "cuda":
        with torch.inference_mode():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    step()
            torch.cuda.current_stream().wait_stream(side)
            position.zero_()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step()
            run = graph.replay

    def request():
        with torch.inference_mode():
            position.zero_()
            last = 0
            for _ in range(sizes.tokens):
                run()
                last = token.item()
            return last

    return request


def training(name, device, small):
    """A function that trains one minibatch; the loss is looked at every tenth."""
    sizes = Sizes(small)
    if name == "resnet50":
        model = ResNet50().to(device)
        given = torch.randn(sizes.batch, 3, sizes.image, sizes.image, device=device)
        wanted = torch.randint(0, 1000, (sizes.batch,), device=device)
    else:
        model = Transformer(*sizes.trained, sizes.length, causal=True).to(device)
        given = torch.randint(0, sizes.trained[0], (sizes.batch, sizes.length), device=device)
        wanted = torch.randint(0, sizes.trained[0], (sizes.batch * sizes.length,), device=device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    kind = torch.bfloat16
    state = {"count": 0}

    def minibatch():
        with torch.autocast(device, dtype=kind):
            loss = F.cross_entropy(model(given).flatten(0, -2).float(), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        state["count"] += 1
        if state["count"] % 10 == 0:
            loss.item()

    return minibatch
