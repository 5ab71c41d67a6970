/* hash_test.c - known answers: a changed value here changes every result ever computed. */
#include "base/hash.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

/* The three examples of NIST's SHA-256 sheet to FIPS 180-4, and the empty message. */
Test(hash, sha256_of_the_fips_messages)
{
    static const struct {
        const char *message, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct nf_sha256 h;
        char hex[65];
        nf_sha256_init(&h);
        nf_sha256_add(&h, known[i].message, strlen(known[i].message));
        nf_sha256_hex(&h, hex);
        cr_assert_str_eq(hex, known[i].hex);
    }
}

Test(hash, sha256_of_a_million_letters_in_odd_pieces)
{
    char letters[997], hex[65];
    memset(letters, 'a', sizeof letters);
    struct nf_sha256 h;
    nf_sha256_init(&h);
    for (size_t left = 1000000, piece = 1; left > 0;
         piece = piece * 7 % sizeof letters + 1) {
        size_t n = piece < left ? piece : left;
        nf_sha256_add(&h, letters, n);
        left -= n;
    }
    nf_sha256_hex(&h, hex);
    cr_assert_str_eq(hex,
                     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Computed by a separate Python program from the definition in hash.h. */
Test(hash, names_keep_their_values)
{
    cr_assert_eq(nf_hash_name(""), UINT64_C(0xF52A15E9A9B5E89B));
    cr_assert_eq(nf_hash_name("cameras/arrivals"), UINT64_C(0x64C9E2ADAA4ADC4B));
    cr_assert_eq(nf_hash_name("shop[7]/wan/rtt"), UINT64_C(0x2CD97F71C8D06CE5));
    cr_assert_eq(nf_hash_name("\xC3\xA9"), UINT64_C(0x233403617480019E));
    cr_assert_eq(nf_hash_mix(0, 0), UINT64_C(0x48218226FF3CD4BF));
    cr_assert_eq(nf_hash_mix(7, UINT64_MAX), UINT64_C(0xFB3757E726A60512));
}

Test(hash, mixing_depends_on_the_order)
{
    cr_assert_neq(nf_hash_mix(3, 5), nf_hash_mix(5, 3));
    cr_assert_neq(nf_hash_mix(3, 3), nf_hash_mix(5, 5));
}

Test(hash, one_bit_in_changes_half_the_bits_out)
{
    int flipped = 0, trials = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t x = 1; x < 20; x++, trials++) {
            uint64_t difference =
                nf_hash_mix(x, 11) ^ nf_hash_mix(x ^ UINT64_C(1) << bit, 11);
            for (; difference != 0; difference &= difference - 1) {
                flipped++;
            }
        }
    }
    double mean = (double)flipped / trials;
    cr_assert(mean > 31 && mean < 33, "%g bits of 64", mean);
}
