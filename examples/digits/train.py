"""Train a small classifier of handwritten digits and save it as PyTorch users do.

    pip install torch scikit-learn
    python train.py

Writes digits.pth (weights, optimizer and epoch in one dictionary), images.pth (images that the training never saw) and
expected.txt (how many of those PyTorch gets right). All three are in the repository; run this only to make them anew.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

EPOCHS = 40
HELD_BACK = 360


class Digits(nn.Module):
    """64 grey pixels in, 10 scores out: the digit with the highest score is the answer."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, pixels):
        return self.fc2(torch.relu(self.fc1(pixels)))


def train(model, optimizer, pixels, labels):
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(pixels[batch]), labels[batch]).backward()
            optimizer.step()


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    digits = load_digits()
    images = torch.tensor(digits.images).to(torch.uint8)  # 0 is white, 16 is black
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels))
    seen, held_back = order[HELD_BACK:], order[:HELD_BACK]
    pixels = images.flatten(1) / 16

    model = Digits()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    train(model, optimizer, pixels[seen], labels[seen])

    with torch.no_grad():
        scores = model(pixels[held_back])
    predicted = scores.argmax(1)
    top = scores.topk(2).values
    correct = int((predicted == labels[held_back]).sum())

    torch.save(
        {"epoch": EPOCHS, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()},
        "digits.pth",
    )
    torch.save(
        {
            "images": images[held_back],
            "labels": labels[held_back].to(torch.uint8),
            "predicted": predicted.to(torch.uint8),  # by PyTorch
        },
        "images.pth",
    )
    line = f"{correct} of {HELD_BACK} correct: accuracy {100 * correct / HELD_BACK:.2f} %"
    with open("expected.txt", "w") as expected:
        expected.write(line + "\n")
    print(line)
    print(f"closest call: the best score leads by {float((top[:, 0] - top[:, 1]).min()):.4f}")


if __name__ == "__main__":
    main()
