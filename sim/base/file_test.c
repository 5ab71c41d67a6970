/* file_test.c - limits and errors of reading; a file appears whole or not at all. Works in folders of its own. */
#include "base/file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static const struct nf_place nowhere = {0};

struct desk {
    struct nf_arena arena;
    struct nf_diags diags;
    const char *folder;
};

static void desk_init(struct desk *k)
{
    nf_arena_init(&k->arena);
    nf_diags_init(&k->diags, &k->arena);
    k->folder = mkdtemp(nf_arena_strdup(&k->arena, "/tmp/nf_file_test_XXXXXX"));
    cr_assert_not_null(k->folder);
}

static void desk_fini(struct desk *k)
{
    cr_assert_eq(rmdir(k->folder), 0, "something was left in the folder");
    nf_arena_fini(&k->arena);
}

static const char *path_in(struct desk *k, const char *name)
{
    return nf_arena_printf(&k->arena, "%s/%s", k->folder, name);
}

static void put(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

Test(file, reads_all_bytes_and_ends_them)
{
    struct desk k;
    desk_init(&k);
    const char *path = path_in(&k, "a.yaml");
    struct nf_file_bytes got = {NULL, 0};
    put(path, "a\0b\n", 4);
    cr_assert_eq(nf_file_read(path, 4, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_eq(got.length, 4);
    cr_assert_arr_eq(got.data, "a\0b\n", 5);
    put(path, "", 0);
    cr_assert_eq(nf_file_read(path, 4, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_eq(got.length, 0);
    cr_assert_str_eq(got.data, "");
    unlink(path);
    desk_fini(&k);
}

Test(file, reads_what_is_larger_than_the_first_buffer)
{
    struct desk k;
    desk_init(&k);
    static char bytes[300007];
    memset(bytes, 'z', sizeof bytes);
    bytes[sizeof bytes - 1] = '!';
    const char *path = path_in(&k, "large");
    struct nf_file_bytes got = {NULL, 0};
    put(path, bytes, sizeof bytes);
    cr_assert_eq(nf_file_read(path, 1 << 20, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_eq(got.length, sizeof bytes);
    cr_assert_eq(memcmp(got.data, bytes, got.length), 0);
    unlink(path);
    desk_fini(&k);
}

Test(file, too_large_is_refused_also_without_a_known_size)
{
    struct desk k;
    desk_init(&k);
    const char *path = path_in(&k, "a.yaml");
    struct nf_file_bytes got = {NULL, 77};
    put(path, "12345", 5);
    cr_assert_eq(nf_file_read(path, 4, nowhere, &k.arena, &k.diags, &got), NF_E_LIMIT);
    cr_assert_eq(nf_file_read("/dev/zero", 100000, nowhere, &k.arena, &k.diags, &got),
                 NF_E_LIMIT);
    cr_assert_eq(got.length, 77);
    cr_assert_not_null(strstr(k.diags.items[0].message, "at most 4 bytes"));
    unlink(path);
    desk_fini(&k);
}

Test(file, missing_file_and_folder_tell_why)
{
    struct desk k;
    desk_init(&k);
    struct nf_file_bytes got = {NULL, 0};
    struct nf_place from = {"s.yaml", 7, 3};
    cr_assert_eq(nf_file_read(path_in(&k, "none"), 99, from, &k.arena, &k.diags, &got),
                 NF_E_IO);
    cr_assert_eq(nf_file_read(k.folder, 99, from, &k.arena, &k.diags, &got), NF_E_IO);
    cr_assert_not_null(
        strstr(k.diags.items[0].message, "none\": No such file or directory"));
    cr_assert_not_null(strstr(k.diags.items[1].message, "Is a directory"));
    cr_assert_eq(k.diags.items[0].place.line, 7);
    cr_assert_eq(nf_diags_status(&k.diags), NF_E_IO);
    desk_fini(&k);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

Test(file, a_pipe_without_a_writer_is_refused_and_one_with_a_writer_is_read,
     .timeout = 60)
{
    struct desk k;
    desk_init(&k);
    const char *path = path_in(&k, "pipe");
    struct nf_file_bytes got = {NULL, 0};
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(nf_file_read(path, 99, nowhere, &k.arena, &k.diags, &got), NF_E_USAGE);
    cr_assert_not_null(strstr(k.diags.items[0].message, "nobody writes into it"));
    pid_t writer = fork();
    if (writer == 0) {
        put(path, "late\n", 5);
        _exit(0);
    }
    cr_assert_eq(nf_file_read(path, 99, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_str_eq(got.data, "late\n");
    waitpid(writer, NULL, 0);
    unlink(path);
    desk_fini(&k);
}

Test(file, publishing_replaces_the_old_file_whole)
{
    struct desk k;
    desk_init(&k);
    const char *path = path_in(&k, "run.h5");
    struct nf_file_bytes got = {NULL, 0};
    put(path, "old", 3);
    const char *temporary = nf_file_temporary(path, &k.arena);
    cr_assert(nf_text_starts_with(temporary,
                                  nf_arena_printf(&k.arena, "%s/.run.h5.", k.folder)));
    put(temporary, "new bytes", 9);
    cr_assert_eq(nf_file_read(path, 99, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_str_eq(got.data, "old");
    cr_assert_eq(nf_file_publish(temporary, path, &k.diags), NF_OK);
    cr_assert_eq(nf_file_read(path, 99, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_str_eq(got.data, "new bytes");
    cr_assert(!exists(temporary));
    unlink(path);
    desk_fini(&k);
}

Test(file, a_failed_publication_leaves_the_target_and_no_temporary)
{
    struct desk k;
    desk_init(&k);
    const char *target = path_in(&k, "folder");
    const char *temporary = nf_file_temporary(target, &k.arena);
    cr_assert_eq(mkdir(target, 0700), 0);
    put(temporary, "x", 1);
    cr_assert_eq(nf_file_publish(temporary, target, &k.diags), NF_E_IO);
    cr_assert(!exists(temporary));
    const char *path = path_in(&k, "out");
    put(path, "old", 3);
    cr_assert_eq(nf_file_publish(path_in(&k, "never-written"), path, &k.diags), NF_E_IO);
    cr_assert(exists(path));
    unlink(path);
    rmdir(target);
    desk_fini(&k);
}

Test(file, targets_that_cannot_be_replaced_are_told_beforehand)
{
    struct desk k;
    desk_init(&k);
    cr_assert_eq(nf_file_check_target(path_in(&k, "new.h5"), &k.diags), NF_OK);
    cr_assert_eq(nf_file_check_target("new.h5", &k.diags), NF_OK);
    cr_assert_eq(nf_file_check_target(path_in(&k, "no/such/folder.h5"), &k.diags),
                 NF_E_IO);
    cr_assert_eq(nf_file_check_target("/dev/null", &k.diags), NF_E_IO);
    cr_assert_eq(nf_file_check_target(k.folder, &k.diags), NF_E_IO);
    cr_assert_eq(nf_file_check_target("", &k.diags), NF_E_IO);
    cr_assert_not_null(strstr(k.diags.items[1].message, "not a regular file"));
    desk_fini(&k);
}

Test(file, a_link_is_written_through_and_stays_a_link)
{
    struct desk k;
    desk_init(&k);
    const char *real = path_in(&k, "far/real.h5"), *link = path_in(&k, "latest.h5");
    const char *second = path_in(&k, "second.h5"), *none = path_in(&k, "none.h5");
    struct nf_file_bytes got = {NULL, 0};
    cr_assert_eq(mkdir(path_in(&k, "far"), 0700), 0);
    put(real, "old", 3);
    cr_assert_eq(symlink("far/real.h5", link), 0);
    cr_assert_eq(symlink("latest.h5", second), 0);
    cr_assert_eq(symlink("far/new.h5", none), 0);
    cr_assert_str_eq(nf_file_target(second, &k.arena), real);
    cr_assert_str_eq(nf_file_target(real, &k.arena), real);
    cr_assert_eq(nf_file_check_target(second, &k.diags), NF_OK);
    const char *temporary = nf_file_temporary(second, &k.arena);
    cr_assert(nf_text_starts_with(temporary, path_in(&k, "far/.real.h5.")));
    put(temporary, "new", 3);
    cr_assert_eq(nf_file_publish(temporary, second, &k.diags), NF_OK);
    cr_assert_eq(nf_file_read(real, 99, nowhere, &k.arena, &k.diags, &got), NF_OK);
    cr_assert_str_eq(got.data, "new");
    cr_assert_eq(nf_file_check_target(none, &k.diags), NF_OK);
    temporary = nf_file_temporary(none, &k.arena);
    put(temporary, "x", 1);
    cr_assert_eq(nf_file_publish(temporary, none, &k.diags), NF_OK);
    cr_assert(exists(path_in(&k, "far/new.h5")));
    cr_assert_eq(unlink(path_in(&k, "far/new.h5")), 0);
    cr_assert_eq(unlink(real), 0);
    const char *links[] = {link, second, none};
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        cr_assert_eq(lstat(links[i], &st), 0);
        cr_assert(S_ISLNK(st.st_mode), "%s", links[i]);
        unlink(links[i]);
    }
    rmdir(path_in(&k, "far"));
    desk_fini(&k);
}

Test(file, links_in_a_circle_lead_nowhere)
{
    struct desk k;
    desk_init(&k);
    const char *a = path_in(&k, "a"), *b = path_in(&k, "b");
    cr_assert_eq(symlink("b", a), 0);
    cr_assert_eq(symlink("a", b), 0);
    cr_assert_eq(nf_file_check_target(a, &k.diags), NF_E_IO);
    cr_assert(!nf_file_is_same(a, b));
    unlink(a);
    unlink(b);
    desk_fini(&k);
}

Test(file, a_write_protected_file_is_kept_also_for_root)
{
    struct desk k;
    desk_init(&k);
    const char *path = path_in(&k, "kept.h5");
    put(path, "old", 3);
    cr_assert_eq(chmod(path, 0444), 0);
    cr_assert_eq(nf_file_check_target(path, &k.diags), NF_E_IO);
    cr_assert_not_null(strstr(k.diags.items[0].message, "write-protected"));
    cr_assert_eq(chmod(path, 0644), 0);
    cr_assert_eq(nf_file_check_target(path, &k.diags), NF_OK);
    unlink(path);
    desk_fini(&k);
}

Test(file, two_names_of_one_file_are_the_same)
{
    struct desk k;
    desk_init(&k);
    const char *a = path_in(&k, "a"), *hard = path_in(&k, "hard");
    const char *soft = path_in(&k, "soft"), *other = path_in(&k, "other");
    put(a, "1", 1);
    put(other, "1", 1);
    cr_assert_eq(link(a, hard), 0);
    cr_assert_eq(symlink("hard", soft), 0);
    cr_assert(nf_file_is_same(a, a));
    cr_assert(nf_file_is_same(a, hard));
    cr_assert(nf_file_is_same(soft, a));
    cr_assert(nf_file_is_same(a, path_in(&k, "./a")));
    cr_assert(!nf_file_is_same(a, other));
    cr_assert(!nf_file_is_same(a, path_in(&k, "none")));
    const char *all[] = {a, hard, soft, other};
    for (size_t i = 0; i < 4; i++) {
        unlink(all[i]);
    }
    desk_fini(&k);
}

/* The id of a process that is gone. */
static long dead_process(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return (long)pid;
}

Test(file, temporaries_of_dead_processes_are_removed)
{
    struct desk k;
    desk_init(&k);
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    const char *path = path_in(&k, "run.h5");
    long dead = dead_process();
    const char *stale =
        path_in(&k, nf_arena_printf(&k.arena, ".run.h5.%ld@%s.part", dead, host));
    const char *kept[] = {
        path_in(&k, nf_arena_printf(&k.arena, ".run.h5.%ld@%s.part", (long)getppid(),
                                    host)), /* lives */
        path_in(&k, nf_arena_printf(&k.arena, ".run.h5.%ld@elsewhere.part",
                                    dead)), /* another host */
        path_in(&k, nf_arena_printf(&k.arena, ".run2.h5.%ld@%s.part", dead,
                                    host)), /* another file */
        path_in(&k, nf_arena_printf(&k.arena, ".run.h5.%ldx@%s.part", dead,
                                    host)), /* not a process */
        path_in(&k, nf_arena_printf(&k.arena, ".run.h5.-%ld@%s.part", dead, host))};
    put(stale, "x", 1);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        put(kept[i], "x", 1);
    }
    nf_file_temporary(path, &k.arena);
    cr_assert(!exists(stale));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        cr_assert(exists(kept[i]), "%s", kept[i]);
        unlink(kept[i]);
    }
    desk_fini(&k);
}
