// Linear algebra by ViennaCL, again and again: a program against a library that is not ours. Prints a line
// for each lap (power iteration: a product of matrix and vector, a norm, a scaling) with the norm. Usage:
// viennacl LAPS
#define VIENNACL_WITH_OPENCL
#include <cstdio>
#include <cstdlib>
#include <vector>
#include <viennacl/linalg/norm_2.hpp>
#include <viennacl/linalg/prod.hpp>
#include <viennacl/matrix.hpp>
#include <viennacl/vector.hpp>

int main(int count, char** words) {
  constexpr std::size_t kSize = 192;
  constexpr int kSteps = 5;
  const int laps = count > 1 ? std::atoi(words[1]) : 100;
  std::vector<std::vector<float>> numbers(kSize, std::vector<float>(kSize));
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t k = 0; k < kSize; ++k) numbers[i][k] = static_cast<float>((i * 31 + k * 17) % 101) / 101;
  }
  viennacl::matrix<float> matrix(kSize, kSize);
  viennacl::copy(numbers, matrix);
  viennacl::vector<float> vector = viennacl::scalar_vector<float>(kSize, 1.0F);
  for (int lap = 0; lap < laps; ++lap) {
    float norm = 0;
    for (int i = 0; i < kSteps; ++i) {
      viennacl::vector<float> product = viennacl::linalg::prod(matrix, vector);
      norm = viennacl::linalg::norm_2(product);
      vector = product / norm;
    }
    std::printf("lap %d %a\n", lap, static_cast<double>(norm));
    std::fflush(stdout);
  }
  return 0;
}
