/*
 * nearfar-kernels - measures on a local GPU what the simulator needs to know.
 *
 * Exit status: 0 done; 1 a check or an operation failed (the file has the rows of the others); 2 bad usage; 3 no
 * GPU, or another failure of the environment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "selftest.h"

#ifndef NF_CODE_VERSION
#define NF_CODE_VERSION "unknown"
#endif

enum { DONE = 0, WRONG = 1, USAGE = 2, ENVIRONMENT = 3 };

static const char help[] =
    "nearfar-kernels measures with CUDA kernels what a GPU needs for pieces of inference "
    "work.\n"
    "\n"
    "  nearfar-kernels check                         references, then every kernel "
    "against them\n"
    "  nearfar-kernels run --quick -o quick.csv      measure for the simulator in under "
    "90 s\n"
    "  nearfar-kernels run gemm decode -o some.csv   measure two operations\n"
    "\n"
    "Usage: nearfar-kernels list\n"
    "       nearfar-kernels check [NAME...] [--seed N]\n"
    "       nearfar-kernels run [NAME...] [--quick|--full] [--budget SECONDS] -o "
    "FILE.csv\n"
    "       nearfar-kernels compose [NAME...] [--quick|--full] [--budget SECONDS] -o "
    "FILE.csv\n"
    "       nearfar-kernels device\n"
    "       nearfar-kernels merge PART.csv... -o FILE.csv   files of one device into "
    "one\n"
    "       nearfar-kernels inspect FILE.csv          is a file of measurements whole "
    "and finite\n"
    "\n"
    "--capability N uses no kernels for devices newer than that (80, 89, 90), --seed N "
    "other inputs.\n"
    "run and compose check an operation before they time it; --unchecked leaves that "
    "to a check before.\n"
    "\n"
    "SIGTERM and SIGINT end run and compose with the rows that are complete.\n"
    "\n"
    "Exit status: 0 done, 1 a check or an operation failed (the file has the rows of the "
    "others),\n"
    "2 bad usage, 3 no GPU or another failure of the machine.\n"
    "The columns of FILE.csv are described in kernels/README.md.\n";

struct options {
    const char *output, *file;
    const char *names[32];
    int name_count;
    bool full, unchecked;
    double budget_s;
    int capability; /* 0: the device's */
    unsigned long long seed;
};

static int usage(const char *message, const char *word)
{
    (void)fprintf(stderr, "nearfar-kernels: %s%s%s (--help shows how)\n", message,
                  word ? ": " : "", word ? word : "");
    return USAGE;
}

static bool number_of(const char *text, double *value)
{
    char *end;
    *value = text ? strtod(text, &end) : 0.0;
    return text && *text && *end == '\0' && *value > 0.0 && *value < 1e18;
}

/* One of those that the kernels are built for; else 0. */
static int capability_of(double value)
{
    static const int built[] = {80, 87, 89, 90};
    for (size_t i = 0; i < sizeof built / sizeof *built; i++) {
        if (value == built[i]) {
            return built[i];
        }
    }
    return 0;
}

/* Returns 0, or USAGE after a message. */
static int take_number(struct options *o, const char *word, const char *text)
{
    double value = 0.0;
    if (!number_of(text, &value)) {
        return usage("a positive number has to follow", word);
    }
    if (word[2] == 'b') {
        o->budget_s = value;
    } else if (word[2] == 's') {
        o->seed = (unsigned long long)value;
    } else {
        o->capability = capability_of(value);
        return o->capability ? 0 : usage("--capability takes 80, 87, 89 or 90", NULL);
    }
    return 0;
}

/* Returns 0, or USAGE after a message. */
static int parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.seed = 20240607};
    for (int i = 2; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--quick") == 0 || strcmp(word, "--full") == 0) {
            o->full = word[2] == 'f';
        } else if (strcmp(word, "--unchecked") == 0) {
            o->unchecked = true;
        } else if (strcmp(word, "-o") == 0 && i + 1 < argc) {
            o->output = argv[++i];
        } else if (strcmp(word, "--budget") == 0 || strcmp(word, "--seed") == 0 ||
                   strcmp(word, "--capability") == 0) {
            int status = take_number(o, word, i + 1 < argc ? argv[++i] : NULL);
            if (status != 0) {
                return status;
            }
        } else if (word[0] == '-') {
            return usage("unknown option, or its value is missing", word);
        } else if (o->name_count == (int)(sizeof o->names / sizeof *o->names)) {
            return usage("too many names", NULL);
        } else {
            o->names[o->name_count++] = word;
        }
    }
    return 0;
}

static const struct nf_op *find_op(const char *name)
{
    int count;
    const struct nf_op *const *ops = nf_ops(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(ops[i]->name, name) == 0) {
            return ops[i];
        }
    }
    return NULL;
}

static bool wanted(const struct options *o, const struct nf_op *op)
{
    for (int i = 0; i < o->name_count; i++) {
        if (strcmp(o->names[i], op->name) == 0) {
            return true;
        }
    }
    return o->name_count == 0;
}

/* Names can only be judged where there are operations. */
static int check_names(const struct options *o)
{
    int count;
    (void)nf_ops(&count);
    for (int i = 0; count > 0 && i < o->name_count; i++) {
        if (!find_op(o->names[i])) {
            return usage("no such operation (nearfar-kernels list shows them)",
                         o->names[i]);
        }
    }
    return 0;
}

/* A composed run asked for with `run`, or an operation with `compose`, would give an empty file. */
static int check_verb(const struct options *o, bool composed)
{
    for (int i = 0; i < o->name_count; i++) {
        const struct nf_op *op = find_op(o->names[i]);
        if (op && op->composed != composed) {
            return usage(composed
                             ? "an operation, which nearfar-kernels run measures"
                             : "a composed run, which nearfar-kernels compose measures",
                         op->name);
        }
    }
    return 0;
}

static int open_gpu(struct nf_bench *b, const struct options *o)
{
    char why[256];
    *b = (struct nf_bench){.seed = o->seed,
                           .scope = o->full ? NF_FULL : NF_QUICK,
                           .capability = o->capability};
    (void)snprintf(b->facts.code, sizeof b->facts.code, "%s", NF_CODE_VERSION);
    if (!nf_gpu_open(b, why, sizeof why)) {
        (void)fprintf(stderr, "nearfar-kernels: %s.\n", why);
        return ENVIRONMENT;
    }
    return 0;
}

static int list(void)
{
    int count;
    const struct nf_op *const *ops = nf_ops(&count);
    for (int i = 0; i < count; i++) {
        (void)printf("%-14s %s%s\n", ops[i]->name, ops[i]->title,
                     ops[i]->composed ? " (composed: nearfar-kernels compose)" : "");
        for (int v = 0; v < ops[i]->version_count; v++) {
            (void)printf("  %-12s %s\n", ops[i]->versions[v].name,
                         ops[i]->versions[v].idea);
        }
    }
    if (count == 0) {
        (void)fprintf(
            stderr, "nearfar-kernels: built without a CUDA toolkit, there is nothing to "
                    "list.\n");
        return ENVIRONMENT;
    }
    return DONE;
}

static int check_references(void)
{
    int all = 0, wrong = 0;
    for (int list = 0; list < 2; list++) {
        int count;
        const struct nf_selftest *tests =
            list == 0 ? nf_selftests(&count) : nf_selftests_composed(&count);
        for (int i = 0; i < count; i++) {
            if (!tests[i].holds()) {
                (void)fprintf(stderr, "WRONG reference: %s\n", tests[i].name);
                wrong++;
            }
        }
        all += count;
    }
    (void)printf("references: %d of %d claims hold\n", all - wrong, all);
    return wrong;
}

static int check(const struct options *o)
{
    if (check_references() > 0) {
        return WRONG;
    }
    (void)fflush(stdout);
    struct nf_bench b;
    int status = open_gpu(&b, o), count;
    if (status != 0) {
        return status;
    }
    const struct nf_op *const *ops = nf_ops(&count);
    for (int i = 0; i < count && nf_ok(&b); i++) {
        if (ops[i]->check && wanted(o, ops[i])) {
            int before = b.checked, failed = b.failed;
            ops[i]->check(&b);
            (void)printf("%-14s %3d comparisons, %d wrong\n", ops[i]->name,
                         b.checked - before, b.failed - failed);
        }
    }
    if (!nf_ok(&b)) {
        (void)fprintf(stderr, "nearfar-kernels: %s\n", b.error);
        status = WRONG;
    }
    (void)printf("%s: %d comparisons, %d wrong\n", b.facts.device, b.checked, b.failed);
    nf_gpu_close(&b);
    return b.failed > 0 ? WRONG : status;
}

/* The fast versions, then in --full the others, if there are any. */
static void measure_turns(struct nf_bench *b, const struct nf_op *op)
{
    bool plain = false;
    for (int v = 0; v < op->version_count; v++) {
        plain = plain || !op->versions[v].fast;
    }
    op->measure(b);
    nf_case_end(b);
    if (plain && b->scope == NF_FULL && nf_time_left(b)) {
        b->plain_turn = true;
        op->measure(b);
        nf_case_end(b);
        b->plain_turn = false;
    }
}

/* Nothing is timed that computes something else. */
static bool is_right(struct nf_bench *b, const struct nf_op *op, bool unchecked)
{
    int failed = b->failed;
    if (!unchecked && op->check) {
        op->check(b);
        nf_case_end(b);
    }
    if (nf_ok(b) && b->failed > failed) {
        (void)fprintf(
            stderr, "nearfar-kernels: %s: %d results are wrong, so it is not measured\n",
            op->name, b->failed - failed);
        return false;
    }
    if (!nf_ok(b)) {
        (void)fprintf(stderr, "nearfar-kernels: %s: %s\n", op->name, b->error);
        return false;
    }
    return true;
}

/* Measures one operation. An error drops its rows: what came before a fault is in doubt too. A signal drops nothing,
 * because every row is complete when it is written. False: no more can be measured. */
static bool measure_op(struct nf_bench *b, const struct nf_op *op, bool unchecked,
                       int *failed)
{
    struct nf_rows_place before = nf_rows_mark(b->rows);
    if (!is_right(b, op, unchecked)) {
        (*failed)++;
        return nf_gpu_recover(b);
    }
    measure_turns(b, op);
    if (nf_stop_wanted()) {
        (void)fprintf(
            stderr,
            "nearfar-kernels: stopped by a signal during %s; the rows that were "
            "complete are kept\n",
            op->name);
        (*failed)++;
        return false;
    }
    if (!nf_ok(b)) {
        (void)fprintf(stderr, "nearfar-kernels: %s: %s\n", op->name, b->error);
        (*failed)++;
        return nf_rows_rewind(b->rows, &before) && nf_gpu_recover(b);
    }
    if (nf_now_s() > b->deadline_s) {
        (void)fprintf(stderr,
                      "%s: its share of the time is used up, the rest is left out\n",
                      op->name);
    }
    return true;
}

/* Each operation may use up to four even shares of what is left (of a few operations, one and a half): the long
 * ones get more than the short ones, and none starves the rest. Returns how many failed. */
static int measure_all(struct nf_bench *b, const struct options *o, bool composed,
                       double end_s)
{
    int count, left = 0, failed = 0, scope = b->scope == NF_FULL ? 1 : 0;
    const struct nf_op *const *ops = nf_ops(&count);
    for (int i = 0; i < count; i++) {
        if (ops[i]->composed == composed && wanted(o, ops[i])) {
            left++;
            end_s -= ops[i]->reserve_s[scope];
        }
    }
    for (int i = 0; i < count; i++) {
        if (ops[i]->composed != composed || !wanted(o, ops[i])) {
            continue;
        }
        end_s += ops[i]->reserve_s[scope];
        double now = nf_now_s(), share = (left > 8 ? 4.0 : 1.5) * (end_s - now) / left;
        b->deadline_s = now + share < end_s ? now + share : end_s;
        if (!measure_op(b, ops[i], o->unchecked, &failed)) {
            if (left > 1) {
                (void)fprintf(stderr,
                              "nearfar-kernels: %d operations after it were not "
                              "measured\n",
                              left - 1);
            }
            break;
        }
        left--;
    }
    return failed;
}

/* The file appears with what was measured; without a row after a failure it does not. */
static int keep_rows(struct nf_rows *rows, int failed)
{
    if (failed > 0 && rows->count == 0) {
        nf_rows_abandon(rows);
        return ENVIRONMENT;
    }
    size_t count = rows->count;
    if (!nf_rows_close(rows)) {
        (void)fprintf(stderr, "nearfar-kernels: %s\n", rows->error);
        return ENVIRONMENT;
    }
    (void)printf("%s: %zu rows\n", rows->name, count);
    return failed > 0 ? WRONG : DONE;
}

static int measure(const struct options *o, bool composed)
{
    struct nf_bench b;
    struct nf_rows rows;
    if (!o->output) {
        return usage("run and compose need -o FILE.csv", NULL);
    }
    int status = check_verb(o, composed);
    status = status == 0 ? open_gpu(&b, o) : status;
    if (status != 0) {
        return status;
    }
    double budget = o->budget_s > 0.0 ? o->budget_s : o->full ? 340.0 : 80.0;
    double end_s = nf_now_s() + budget;
    if (!nf_rows_open(&rows, o->output, &b.facts)) {
        (void)fprintf(stderr, "nearfar-kernels: %s\n", rows.error);
        nf_gpu_close(&b);
        return ENVIRONMENT;
    }
    b.rows = &rows;
    nf_stop_by_signal();
    nf_gpu_yardstick(&b);
    int failed = 0;
    if (nf_ok(&b)) {
        failed = measure_all(&b, o, composed, end_s);
    } else {
        (void)fprintf(stderr, "nearfar-kernels: %s\n", b.error);
        failed = 1;
    }
    status = keep_rows(&rows, failed);
    nf_gpu_close(&b);
    return status;
}

static int device(const struct options *o)
{
    struct nf_bench b;
    int status = open_gpu(&b, o);
    if (status != 0) {
        return status;
    }
    const struct nf_facts *f = &b.facts;
    (void)printf("device       %s\ncapability   %d.%d\nSMs          %d\n", f->device,
                 f->compute_capability / 10, f->compute_capability % 10, f->sm_count);
    (void)printf(
        "memory       %.1f GB\nL2           %.1f MB\ndriver       %s\ntoolkit      %s\n",
        f->memory_bytes * 1e-9, f->l2_bytes * 1e-6, f->driver, f->toolkit);
    (void)printf("code         %s\nNVML         %s\n", f->code, b.clocks ? "yes" : "no");
    if (b.peak->gbps > 0.0) {
        (void)printf("data sheet   %.0f GB/s, %.0f TFLOP/s bf16 dense\n", b.peak->gbps,
                     b.peak->half);
    } else {
        (void)printf("data sheet   not in our table\n");
    }
    nf_gpu_close(&b);
    return DONE;
}

static int inspect(const struct options *o)
{
    struct nf_rows_verdict v;
    if (o->name_count != 1) {
        return usage("inspect takes one file", NULL);
    }
    if (!nf_rows_inspect(o->names[0], &v)) {
        (void)fprintf(stderr, "nearfar-kernels: %s\n", v.message);
        return USAGE;
    }
    (void)printf("%s\n", v.message);
    return v.complete && v.bad_rows == 0 ? DONE : WRONG;
}

static int merge(const struct options *o)
{
    char why[NF_ROWS_TEXT];
    if (!o->output || o->name_count == 0) {
        return usage("merge takes files, and -o FILE.csv", NULL);
    }
    if (!nf_rows_merge(o->output, o->names, (size_t)o->name_count, &why)) {
        (void)fprintf(stderr, "nearfar-kernels: %s\n", why);
        return USAGE;
    }
    return DONE;
}

int main(int argc, char **argv)
{
    struct options o;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 ||
        strcmp(verb, "help") == 0) {
        (void)fputs(help, stdout);
        return DONE;
    }
    if (strcmp(verb, "--version") == 0) {
        (void)printf("nearfar-kernels %s\n", NF_CODE_VERSION);
        return DONE;
    }
    int status = parse(argc, argv, &o);
    if (status != 0) {
        return status;
    }
    if (strcmp(verb, "inspect") == 0) {
        return inspect(&o);
    }
    if (strcmp(verb, "merge") == 0) {
        return merge(&o);
    }
    status = check_names(&o);
    if (status != 0) {
        return status;
    }
    if (strcmp(verb, "list") == 0) {
        return list();
    }
    if (strcmp(verb, "check") == 0) {
        return check(&o);
    }
    if (strcmp(verb, "run") == 0 || strcmp(verb, "compose") == 0) {
        return measure(&o, verb[0] == 'c');
    }
    if (strcmp(verb, "device") == 0) {
        return device(&o);
    }
    return usage(argc > 1 ? "unknown command" : "a command is missing",
                 argc > 1 ? verb : NULL);
}
