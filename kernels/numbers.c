#include "numbers.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} types[NF_DTYPES] = {
    [NF_F32] = {"fp32", 4},  [NF_BF16] = {"bf16", 2}, [NF_F16] = {"fp16", 2},
    [NF_E4M3] = {"fp8", 1},  [NF_S8] = {"int8", 1},   [NF_U8] = {"uint8", 1},
    [NF_S32] = {"int32", 4},
};

size_t nf_dtype_bytes(enum nf_dtype type)
{
    return types[type].bytes;
}

const char *nf_dtype_name(enum nf_dtype type)
{
    return types[type].name;
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

float nf_bf16_to_float(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t nf_bf16_from_float(float x)
{
    uint32_t u = bits_of(x);
    if (x != x) {
        return 0x7fff;
    }
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

/* A small float of `mantissa` stored bits and the given exponent bias; no infinity, no NaN here. */
static float small_to_float(uint32_t sign, uint32_t exponent, uint32_t fraction,
                            int mantissa, int bias)
{
    float magnitude = exponent == 0 ? ldexpf((float)fraction, 1 - bias - mantissa)
                                    : ldexpf((float)(fraction | (1u << mantissa)),
                                             (int)exponent - bias - mantissa);
    return sign ? -magnitude : magnitude;
}

float nf_f16_to_float(uint16_t bits)
{
    uint32_t exponent = (bits >> 10) & 31u, fraction = bits & 1023u, sign = bits >> 15;
    if (exponent == 31) {
        return fraction ? NAN : sign ? -INFINITY : INFINITY;
    }
    return small_to_float(sign, exponent, fraction, 10, 15);
}

/* |x| as a count of the format's spacing at x, rounded to nearest even, then exponent and fraction
 * side by side: a carry out of the fraction raises the exponent by itself. */
static uint32_t small_from_float(float magnitude, int mantissa, int bias)
{
    int e;
    if (magnitude == 0.0f) {
        return 0; /* frexpf gives zero an exponent of its own */
    }
    (void)frexpf(magnitude, &e); /* magnitude = m 2^e, 0.5 <= m < 1 */
    int exponent = e - 1 + bias; /* biased, normal when >= 1 */
    if (exponent < 1) {
        return (uint32_t)nearbyintf(ldexpf(magnitude, bias - 1 + mantissa));
    }
    uint32_t spaced = (uint32_t)nearbyintf(ldexpf(magnitude, mantissa - (e - 1)));
    return ((uint32_t)(exponent - 1) << mantissa) + spaced;
}

uint16_t nf_f16_from_float(float x)
{
    uint32_t sign = bits_of(x) >> 31;
    if (x != x) {
        return 0x7fff;
    }
    float magnitude = fabsf(x);
    uint32_t body = magnitude >= 65520.0f ? 0x7c00u : small_from_float(magnitude, 10, 15);
    return (uint16_t)(sign << 15 | body);
}

float nf_e4m3_to_float(uint8_t bits)
{
    uint32_t exponent = (bits >> 3) & 15u, fraction = bits & 7u, sign = bits >> 7;
    if (exponent == 15 && fraction == 7) {
        return NAN;
    }
    return small_to_float(sign, exponent, fraction, 3, 7);
}

uint8_t nf_e4m3_from_float(float x)
{
    uint32_t sign = bits_of(x) >> 31;
    if (x != x) {
        return 0x7f;
    }
    float magnitude = fabsf(x);
    uint32_t body = magnitude >= 448.0f ? 0x7eu : small_from_float(magnitude, 3, 7);
    return (uint8_t)(sign << 7 | body);
}

static float whole(float x, float low, float high)
{
    float rounded = nearbyintf(x);
    return rounded < low ? low : rounded > high ? high : rounded;
}

float nf_number_get(enum nf_dtype type, const void *array, size_t i)
{
    switch (type) {
    case NF_F32:
        return ((const float *)array)[i];
    case NF_BF16:
        return nf_bf16_to_float(((const uint16_t *)array)[i]);
    case NF_F16:
        return nf_f16_to_float(((const uint16_t *)array)[i]);
    case NF_E4M3:
        return nf_e4m3_to_float(((const uint8_t *)array)[i]);
    case NF_S8:
        return (float)((const int8_t *)array)[i];
    case NF_U8:
        return (float)((const uint8_t *)array)[i];
    case NF_S32:
        return (float)((const int32_t *)array)[i];
    case NF_DTYPES:
        break;
    }
    return NAN;
}

void nf_number_set(enum nf_dtype type, void *array, size_t i, float x)
{
    switch (type) {
    case NF_F32:
        ((float *)array)[i] = x;
        break;
    case NF_BF16:
        ((uint16_t *)array)[i] = nf_bf16_from_float(x);
        break;
    case NF_F16:
        ((uint16_t *)array)[i] = nf_f16_from_float(x);
        break;
    case NF_E4M3:
        ((uint8_t *)array)[i] = nf_e4m3_from_float(x);
        break;
    case NF_S8:
        ((int8_t *)array)[i] = (int8_t)whole(x, -128.0f, 127.0f);
        break;
    case NF_U8:
        ((uint8_t *)array)[i] = (uint8_t)whole(x, 0.0f, 255.0f);
        break;
    case NF_S32:
        ((int32_t *)array)[i] = (int32_t)x;
        break;
    case NF_DTYPES:
        break;
    }
}

/* splitmix64's finaliser (Steele, Lea, Flood 2014), over a Weyl sequence of the counter. */
uint64_t nf_mix(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed + (counter + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

float nf_uniform(uint64_t seed, uint64_t counter)
{
    return (float)(int32_t)(nf_mix(seed, counter) >> 40) * 0x1p-23f - 1.0f;
}
