/*
 * numbers.h - the number formats that inference uses, on the CPU, and reproducible random values.
 *
 * What:   bf16, fp16 and fp8 (e4m3) to and from float with round to nearest, ties to even; arrays of
 *         any of our types to and from float; a counter-based generator for test data.
 * Why:    the CPU references compute in float or double on exactly the values that a kernel reads,
 *         so an error bound speaks of the kernel's arithmetic alone.
 * Errors: none. Values beyond the largest finite number: bf16 and fp16 give infinity, e4m3 gives
 *         its largest value (448), as cvt.rn.satfinite does; NaN stays NaN.
 */
#ifndef NF_KERNELS_NUMBERS_H
#define NF_KERNELS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum nf_dtype { NF_F32, NF_BF16, NF_F16, NF_E4M3, NF_S8, NF_U8, NF_S32, NF_DTYPES };

size_t nf_dtype_bytes(enum nf_dtype type);
const char *
nf_dtype_name(enum nf_dtype type); /* as in the CSV: bf16, fp16, fp8, int8, ... */

float nf_bf16_to_float(uint16_t bits);
uint16_t nf_bf16_from_float(float x);
float nf_f16_to_float(uint16_t bits);
uint16_t nf_f16_from_float(float x);
float nf_e4m3_to_float(uint8_t bits);
uint8_t nf_e4m3_from_float(float x);

/* Element `i` of an array of `type`. */
float nf_number_get(enum nf_dtype type, const void *array, size_t i);
void nf_number_set(enum nf_dtype type, void *array, size_t i, float x);

/* 64 well-mixed bits of (seed, counter): the same pair always gives the same bits. */
uint64_t nf_mix(uint64_t seed, uint64_t counter);
/* Uniform in [-1, 1). */
float nf_uniform(uint64_t seed, uint64_t counter);

#ifdef __cplusplus
}
#endif
#endif
