#include "common/digits.h"

#include <algorithm>

namespace examples {
namespace {

constexpr int kGlyphWidth = 5;
constexpr int kGlyphHeight = 7;
// One row of five pixels a number, most significant bit on the left.
constexpr std::uint8_t kGlyphs[kClasses][kGlyphHeight] = {
    {0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110},
    {0b00100, 0b01100, 0b10100, 0b00100, 0b00100, 0b00100, 0b11111},
    {0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111},
    {0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110},
    {0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010},
    {0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110},
    {0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110},
    {0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000},
    {0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110},
    {0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100},
};

std::size_t At(int x, int y, int width) {
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
}

Picture Draw(int label, Random& random) {
  constexpr int kScale = 2;  // camera pixels a glyph pixel
  Picture picture;
  picture.label = label;
  // Two pixels of shift in each direction around the middle.
  int left = 7 - 2 + random.Below(5);
  int top = 5 - 2 + random.Below(5);
  double ink = 120.0 + 110.0 * random.Uniform();
  for (int y = 0; y < kCameraSide; ++y) {
    for (int x = 0; x < kCameraSide; ++x) {
      int column = (x - left) / kScale;
      int row = (y - top) / kScale;
      bool inside = x >= left && y >= top && column < kGlyphWidth && row < kGlyphHeight;
      bool on = inside && ((kGlyphs[label][row] >> (kGlyphWidth - 1 - column)) & 1) != 0;
      double value = (on ? ink : 12.0) + 24.0 * random.Normal();
      picture.camera[At(x, y, kCameraSide)] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
    }
  }
  return picture;
}

}  // namespace

std::uint64_t Random::Next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

double Random::Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

double Random::Normal() {
  double sum = -6.0;
  for (int i = 0; i < 12; ++i) sum += Uniform();
  return sum;
}

int Random::Below(int limit) { return static_cast<int>(Uniform() * limit); }

std::vector<Picture> DrawPictures(int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<Picture> pictures;
  pictures.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) pictures.push_back(Draw(i % kClasses, random));
  return pictures;
}

std::array<float, kPixels> Preprocess(const Picture& picture) {
  std::array<float, kPixels> pixels;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const std::uint8_t* corner = &picture.camera[At(2 * x, 2 * y, kCameraSide)];
      int sum = corner[0] + corner[1] + corner[kCameraSide] + corner[kCameraSide + 1];
      pixels[At(x, y, kSide)] = static_cast<float>(sum) / 512.0f - 0.25f;
    }
  }
  return pixels;
}

}  // namespace examples
