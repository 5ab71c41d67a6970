/*
 * setup.h - what the numerical library must be told before its first use.
 *
 * Why:    GSL's own error handler aborts the program; every caller of ours looks at the status instead.
 * Errors: none.
 */
#ifndef NF_STATS_SETUP_H
#define NF_STATS_SETUP_H

/* Once, from main, before threads start. */
void nf_stats_setup(void);

#endif
