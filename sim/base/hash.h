/*
 * hash.h - identity of names and files: 64-bit mixing for stream names, SHA-256 for file identities.
 * Source: SHA-256 from FIPS 180-4; FNV-1a 64 (draft-eastlake-fnv) finished by the splitmix64 mixer (Steele et al. 2014).
 */
#ifndef NF_BASE_HASH_H
#define NF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64-bit hash of a string, stable across machines and versions (results depend on it). */
uint64_t nf_hash_name(const char *s);
/* Mix two 64-bit values into one. */
uint64_t nf_hash_mix(uint64_t a, uint64_t b);

struct nf_sha256 {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
};
void nf_sha256_init(struct nf_sha256 *h);
void nf_sha256_add(struct nf_sha256 *h, const void *data, size_t n);
/* 64 lower-case hex digits and a NUL into hex. */
void nf_sha256_hex(struct nf_sha256 *h, char hex[65]);
/* All of it at once. */
void nf_sha256_of(const void *data, size_t n, char hex[65]);

#endif
