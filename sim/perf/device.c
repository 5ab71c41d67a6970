#include "perf/device.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"

const char *nf_precision_name(enum nf_precision p)
{
    static const char *const names[NF_PRECISIONS] = {"fp32", "tf32", "fp16", "bf16",
                                                     "fp8",  "int8", "int4"};
    NF_ASSERT((unsigned)p < NF_PRECISIONS);
    return names[p];
}

double nf_precision_bytes(enum nf_precision p)
{
    static const double bytes[NF_PRECISIONS] = {4.0, 4.0, 2.0, 2.0, 1.0, 1.0, 0.5};
    NF_ASSERT((unsigned)p < NF_PRECISIONS);
    return bytes[p];
}

const char *nf_provenance_name(enum nf_provenance p)
{
    static const char *const names[NF_PROVENANCES] = {"measured", "published", "derived",
                                                      "assumed"};
    NF_ASSERT((unsigned)p < NF_PROVENANCES);
    return names[p];
}

static char plain(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '_' ? '-' : c;
}

bool nf_device_is_named(const struct nf_device *device, const char *text)
{
    const char *name = device->name;
    while (*name && plain(*text) == plain(*name)) {
        text++;
        name++;
    }
    return *name == '\0' && (*text == '\0' || strchr("_-. /", *text) != NULL);
}

/* ---- a runtime's name, word by word ---- */

enum { WORDS_MAX = 12, WORD_BYTES = 24 };

struct words {
    char of[WORDS_MAX][WORD_BYTES];
    int count;
};

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Small letters; without who made it, what it is sold as and what else a runtime puts into the name of a whole card. */
static void split(const char *text, struct words *w)
{
    static const char *const left_out[] = {"nvidia",   "tesla",  "geforce",
                                           "graphics", "device", "nvgpu"};
    w->count = 0;
    while (*text && w->count < WORDS_MAX) {
        char *word = w->of[w->count];
        int n = 0;
        while (is_word_char(plain(*text)) && n + 1 < WORD_BYTES) {
            word[n++] = plain(*text++);
        }
        word[n] = '\0';
        bool counts = n > 0;
        for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
            counts = counts && strcmp(word, left_out[i]) != 0;
        }
        w->count += counts;
        text += *text != '\0';
    }
}

/* As one word or as two in a row ("rtx4090": "RTX 4090"). */
static bool has(const struct words *w, const char *word)
{
    for (int i = 0; i < w->count; i++) {
        size_t n = strlen(w->of[i]);
        if (strcmp(w->of[i], word) == 0 ||
            (i + 1 < w->count && strncmp(word, w->of[i], n) == 0 &&
             strcmp(word + n, w->of[i + 1]) == 0)) {
            return true;
        }
    }
    return false;
}

static bool has_all(const struct words *w, const struct words *of)
{
    for (int i = 0; i < of->count; i++) {
        if (!has(w, of->of[i])) {
            return false;
        }
    }
    return of->count > 0;
}

/* What a runtime adds to the name of a card as it is usually sold: its memory ("80gb", "hbm3"), its socket ("sxm5"). */
static bool is_addition(const char *word)
{
    size_t digits = strspn(word, "0123456789");
    return (digits > 0 && strcmp(word + digits, "gb") == 0) ||
           strncmp(word, "hbm", 3) == 0 || strncmp(word, "sxm", 3) == 0;
}

/* Does `given` say nothing that `own` does not: no "nvl", "pcie", "mig", "laptop"? A word of the name may come in two ("rtx 4090"). */
static bool is_plain_beside(const struct words *given, const struct words *own)
{
    char two[2 * WORD_BYTES];
    for (int i = 0; i < given->count; i++) {
        bool is_known = has(own, given->of[i]) || is_addition(given->of[i]);
        for (int j = i - 1; j <= i && !is_known; j++) {
            if (j >= 0 && j + 1 < given->count) {
                (void)snprintf(two, sizeof two, "%s%s", given->of[j], given->of[j + 1]);
                is_known = has(own, two);
            }
        }
        if (!is_known) {
            return false;
        }
    }
    return true;
}

bool nf_device_is_called(const struct nf_device *device, const char *runtime_name)
{
    struct words own, given;
    split(device->name, &own);
    split(runtime_name, &given);
    return has(&own, "pcie") == has(&given, "pcie") &&
           ((has_all(&given, &own) && is_plain_beside(&given, &own)) ||
            has_all(&own, &given));
}

enum nf_precision nf_device_half(const struct nf_device *device)
{
    return device->peak[NF_BF16] > 0 ? NF_BF16 : NF_FP16;
}
