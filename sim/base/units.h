/*
 * units.h - quantities as people write them ("10ms", "0.9/s", "24GiB", "2.60 USD/h", "99.9%") to SI numbers and back.
 *
 * What:   one table of units per dimension. The parser takes a number, optional blanks, a unit.
 * Why:    a number without its unit is an error wherever a dimension is expected, except 0.
 * Units:  results are SI: s, 1/s, byte, byte/s (decimal: 1 Gbit/s = 125e6), W, USD, USD/s, USD/byte, USD/token,
 *         USD/request, USD/J, fraction (50% = 0.5).
 * Errors: a bool, and a message in plain words in `why` (static or in the caller's buffer).
 */
#ifndef NF_BASE_UNITS_H
#define NF_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>

enum nf_dimension {
    NF_DIM_NONE,  /* plain number */
    NF_DIM_TIME,  /* ns us ms s min h d w y(=365 d) -> s */
    NF_DIM_RATE,  /* 1/s: "/s" "/min" "/h" "/d", also "req/s", "Hz" */
    NF_DIM_BYTES, /* B kB MB GB TB KiB MiB GiB TiB -> byte */
    NF_DIM_BANDWIDTH, /* bit/s kbit/s Mbit/s Gbit/s Tbit/s B/s kB/s MB/s GB/s TB/s -> byte/s */
    NF_DIM_POWER,         /* mW W kW -> W */
    NF_DIM_MONEY,         /* USD */
    NF_DIM_MONEY_RATE,    /* USD/s USD/h USD/month(730 h) USD/y -> USD/s */
    NF_DIM_MONEY_BYTES,   /* USD/B USD/GB USD/GiB USD/TB -> USD/byte */
    NF_DIM_MONEY_TOKEN,   /* USD/token USD/ktoken USD/Mtoken -> USD/token */
    NF_DIM_MONEY_REQUEST, /* USD/request USD/krequest USD/Mrequest -> USD/request */
    NF_DIM_MONEY_ENERGY,  /* USD/J USD/kWh USD/MWh -> USD/J */
    NF_DIM_FRACTION, /* "70%" -> 0.7; a bare 0.7 is accepted, a bare number above 1 is not */
    NF_DIM_FLOPS,    /* TFLOPS TOPS GFLOPS PFLOPS -> operations/s */
    NF_DIM_WORK,     /* MFLOP GFLOP TFLOP -> operations */
    NF_DIM_COUNT_OF /* k, M, B, T suffix on a count: "7B" parameters -> 7e9; plain numbers too */
};

/* Parse `s` as a quantity of dimension `dim`. On failure returns false and writes a sentence such as
 * "10msec": unknown unit "msec", did you mean ms? (expected a time such as 10ms; units: ns, us, ms, s, min, h, d, w, y)
 * into why (cap bytes; 300 are enough). */
bool nf_units_parse(const char *s, enum nf_dimension dim, double *out, char *why,
                    size_t cap);

/* Readable text of an SI value ("1.5 ms", "200 kB", "2.6 USD/h", "70%") that nf_units_parse reads back to the same
 * double when `exact`; otherwise rounded to 4 digits for people. Returns buf (64 bytes are enough). */
char *nf_units_format(double value, enum nf_dimension dim, bool exact, char *buf,
                      size_t cap);

/* "time", "rate", ...; and the list of units, "ns, us, ms, s, min, h, d, w, y". */
const char *nf_units_name(enum nf_dimension dim);
const char *nf_units_list(enum nf_dimension dim);

#endif
