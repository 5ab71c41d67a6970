/* folder_test.h - for the tests of sim/results: a temporary folder that goes away with all its files. */
#ifndef NF_RESULTS_FOLDER_TEST_H
#define NF_RESULTS_FOLDER_TEST_H

#include <stddef.h>

struct folder {
    char path[64];
    char file[96]; /* a name inside for the result: PATH/run.h5 */
};

void folder_make(struct folder *f);
/* Remove the files inside and the folder. */
void folder_remove(const struct folder *f);
/* How many entries it has, hidden ones too. */
int folder_count(const struct folder *f);
/* All bytes of a file on the heap (nf_mem_free); NULL when it cannot be read. */
char *folder_bytes(const char *path, size_t *n);

#endif
