// The inner loop of greedy selection: for each candidate neuron the sum over words of
//   log2(1 + sum_c 2^(base[c][word] + step[c] * input[word])).
// Sixteen words at a time, in vectors that every compiler cuts to the machine's own width. Logarithms are sums of
// exponents: factors are multiplied up, and what remains of the product at the end has one logarithm per lane.

#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t LANES = 16;
constexpr int64_t PARTS = 4;  // independent chains, to fill the pipeline
typedef float Floats __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));

inline Floats all(float value) { return value - Floats{}; }

inline Floats load(const float* from) {
  Floats value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// 2^x for x <= 126, relative error 1e-7; below -126 as for -126.
inline Floats exp2_of(Floats x) {
  x = x < -126.0f ? all(-126.0f) : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the lowest bits.
  const Floats shifted = x + 12582912.0f;
  const Floats rest = x - (shifted - 12582912.0f);
  Floats power = rest * 0.001326472731307149f + 0.009671512991189957f;
  power = power * rest + 0.05550733581185341f;
  power = power * rest + 0.24022242426872253f;
  power = power * rest + 0.6931470036506653f;
  power = power * rest + 1.0f;
  return (Floats)((Ints)power + ((Ints)shifted << 23));
}

// A product of numbers of at least 1, as mantissa * 2^exponent.
struct Product {
  Floats mantissa;
  Ints exponent;
  inline void multiply(Floats factor) {
    mantissa *= factor;
    exponent += ((Ints)mantissa >> 23) - 127;
    mantissa = (Floats)(((Ints)mantissa & 0x007fffff) | 0x3f800000);
  }
};

template <bool GROUPED>
void multiply_words(Product& product, const float* base, int64_t stride, const float* step, int64_t classes,
                    const float* input, int64_t words) {
  for (int64_t word = 0; word < words; word += PARTS * LANES) {
    Floats total[PARTS], in[PARTS];
    for (int64_t part = 0; part < PARTS; ++part) {
      in[part] = load(input + word + part * LANES);
      total[part] = all(1.0f);
    }
    for (int64_t c = 0; c < classes; ++c)
      for (int64_t part = 0; part < PARTS; ++part)
        total[part] += exp2_of(load(base + c * stride + word + part * LANES) + step[c] * in[part]);
    if (GROUPED)
      product.multiply((total[0] * total[1]) * (total[2] * total[3]));
    else
      for (int64_t part = 0; part < PARTS; ++part) product.multiply(total[part]);
  }
}

}  // namespace

// base [class, word], inputs [row, word], words a multiple of 64; steps [neuron, class]; per candidate: the row of steps
// (candidates), the row of inputs (rows), and whether a product of four factors stays finite (grouped). Mantissas and
// exponents [candidate, lane] are written. A tile of words, whose bases stay in the first cache, goes through all candidates.
extern "C" void polyprobe_products(const float* base, const float* steps, const float* inputs, int64_t classes,
                                   int64_t words, int64_t tile, const int64_t* candidates, const int64_t* rows,
                                   const uint8_t* grouped, int64_t count, float* mantissas, int32_t* exponents) {
  for (int64_t i = 0; i < count * LANES; ++i) {
    mantissas[i] = 1.0f;
    exponents[i] = 0;
  }
  for (int64_t start = 0; start < words; start += tile) {
    const int64_t size = words - start < tile ? words - start : tile;
    for (int64_t i = 0; i < count; ++i) {
      Product product;
      std::memcpy(&product.mantissa, mantissas + i * LANES, sizeof product.mantissa);
      std::memcpy(&product.exponent, exponents + i * LANES, sizeof product.exponent);
      const float* step = steps + candidates[i] * classes;
      const float* input = inputs + rows[i] * words + start;
      if (grouped[i])
        multiply_words<true>(product, base + start, words, step, classes, input, size);
      else
        multiply_words<false>(product, base + start, words, step, classes, input, size);
      std::memcpy(mantissas + i * LANES, &product.mantissa, sizeof product.mantissa);
      std::memcpy(exponents + i * LANES, &product.exponent, sizeof product.exponent);
    }
  }
}

// The plain loop that benchmarks measure the machine's limit with: 2^x over numbers in the first cache.
extern "C" float polyprobe_exponentials(const float* numbers, int64_t count, int64_t repeats) {
  Floats total[PARTS] = {};
  for (int64_t repeat = 0; repeat < repeats; ++repeat)
    for (int64_t i = 0; i < count; i += PARTS * LANES)
      for (int64_t part = 0; part < PARTS; ++part) total[part] += exp2_of(load(numbers + i + part * LANES));
  const Floats sum = (total[0] + total[1]) + (total[2] + total[3]);
  float result = 0;
  for (int64_t lane = 0; lane < LANES; ++lane) result += sum[lane];
  return result;
}
