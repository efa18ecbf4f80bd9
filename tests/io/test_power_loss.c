/*
 * What a disk may hold after the power was lost while a path was saved.
 *
 * A save is noted down, call by call. For each moment of it all disks are made that a file system may leave behind:
 *
 *     bytes    what was written before the last fsync() of a file is there; each later write is there, is lost, or is there in part,
 *              by sectors, whatever became of the others
 *     mode     likewise
 *     names    what was done to the folder before its last fsync() is done; each later change is done or not, whatever became of
 *              the others. A rename is done wholly or not at all
 *
 * On each of them the target is the old file or the new one, whole, and the new one once the save has said so. That the test finds
 * what it looks for is tested too: with any fsync() taken away from the notes, some disk is wrong.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/disk.h"
#include "io/saving.h"

#define SECTOR 512
#define MOST_NAMES 16
#define MOST_BYTES ((size_t)2 << 20)

/* A save, and what is left out of its notes. */
typedef struct replay {
    const saving *saving;
    const disk_event *events;
    size_t count;
    int ignored; /* a disk_deed, or -1   */
    bool only_the_first;
    uint64_t old_file, older_file;
    uint64_t random;
    unsigned long disks, wrong;
    const char *why;
} replay;

/* ---- names ---- */

typedef struct names {
    struct {
        char name[256];
        uint64_t file; /* 0: no more */
    } entries[MOST_NAMES];
    size_t count;
} names;

static uint64_t *entry(names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->entries[i].name, name) == 0)
            return &n->entries[i].file;
    assert_true(n->count < MOST_NAMES);
    (void)snprintf(n->entries[n->count].name, sizeof n->entries->name, "%s", name);
    return &n->entries[n->count++].file;
}

static bool is_of_names(const disk_event *event)
{
    return event->deed == MADE || event->deed == RENAMED || event->deed == LINKED || event->deed == UNLINKED;
}

static void change_names(names *n, const disk_event *event)
{
    if (event->deed == MADE)
        *entry(n, event->name) = event->file;
    if (event->deed == RENAMED || event->deed == UNLINKED)
        *entry(n, event->name) = 0;
    if (event->deed == RENAMED || event->deed == LINKED)
        *entry(n, event->to) = event->file;
}

static names names_before(const replay *r)
{
    names n = {.count = 0};
    *entry(&n, "target") = r->old_file;
    *entry(&n, "target.bak") = r->older_file;
    return n;
}

/* ---- bytes ---- */

static uint64_t random_bits(replay *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

typedef struct content {
    unsigned char *bytes;
    size_t size;
} content;

static void resize(content *c, uint64_t size)
{
    assert_true(size <= MOST_BYTES);
    if (size > c->size)
        memset(c->bytes + c->size, 0, (size_t)size - c->size);
    c->size = (size_t)size;
}

static void write_part(content *c, const disk_event *event, size_t from, size_t size)
{
    if (event->offset + from + size > c->size)
        resize(c, event->offset + from + size);
    memcpy(c->bytes + event->offset + from, event->data + from, size);
}

enum { WHOLE, LOST, TORN, FATES };

static void change_bytes(replay *r, content *c, const disk_event *event, uint64_t fate)
{
    if (fate == LOST)
        return;
    if (event->deed == CUT) {
        resize(c, event->offset);
        return;
    }
    uint64_t some = random_bits(r);
    for (size_t at = 0, size; at < event->size; at += size, some = some >> 1 | some << 63) {
        size_t left = SECTOR - (size_t)(event->offset + at) % SECTOR;
        size = left < event->size - at ? left : event->size - at;
        if (fate == WHOLE || some & 1)
            write_part(c, event, at, size);
    }
}

/* Of the first `moment` events, those of a file's bytes; the ones before its last fsync() are settled. */
static bool is_of_bytes(const disk_event *event, uint64_t file)
{
    return (event->deed == WROTE || event->deed == CUT) && event->file == file;
}

static size_t last_sync(const replay *r, size_t moment, uint64_t file)
{
    size_t settled = 0;
    for (size_t i = 0; i < moment; i++)
        if (r->events[i].deed == SYNCED && r->events[i].file == file && r->ignored != SYNCED)
            settled = i;
    return settled;
}

/* ---- judging a disk ---- */

static saving_content judge(const replay *r, const content *c)
{
    ptio_text text = {(const char *)c->bytes, c->size};
    return ptio_text_equal(text, saving_new_bytes(r->saving)) ? NEW
           : ptio_text_equal(text, saving_old_bytes())        ? OLD
           : ptio_text_equal(text, saving_older_bytes())      ? OLDER
                                                              : SOMETHING_ELSE;
}

/* What a file holds where its unsettled writes have the fates that the digits of `fates` tell. */
static saving_content look_into(replay *r, size_t moment, uint64_t file, uint64_t fates)
{
    static unsigned char bytes[MOST_BYTES];
    content c = {.bytes = bytes};
    size_t settled = last_sync(r, moment, file);
    if (!file)
        return NOTHING;
    if (file == r->old_file)
        return OLD;
    if (file == r->older_file)
        return OLDER;
    for (size_t i = 0; i < moment; i++)
        if (is_of_bytes(&r->events[i], file)) {
            uint64_t fate = i < settled ? WHOLE : fates % FATES;
            fates = i < settled ? fates : fates / FATES;
            change_bytes(r, &c, &r->events[i], fate);
        }
    return judge(r, &c);
}

/* The mode that a file has where an unsettled change of it is done or not. */
static uint64_t mode_of(const replay *r, size_t moment, uint64_t file, bool done)
{
    size_t settled = last_sync(r, moment, file);
    uint64_t mode = 0600;
    for (size_t i = 0; i < moment; i++)
        if (r->events[i].deed == CHMODDED && r->events[i].file == file && (i < settled || done))
            mode = r->events[i].offset;
    return mode;
}

static const char *wrong(const replay *r, size_t moment, saving_content target, saving_content backup, uint64_t mode)
{
    const saving *s = r->saving;
    if (target == NEW && s->had_old && mode != 0640)
        return "the new file has not the mode of the old one";
    if (target != NEW && target != (s->had_old ? OLD : NOTHING))
        return "the target is neither the old file nor the new one";
    if (target != NEW && moment == r->count)
        return "the save is done, but the target is not the new file";
    if (s->backup && s->had_old && target == NEW && backup != OLD)
        return "the new file is there, but the old one is not kept";
    if (backup != (s->had_backup ? OLDER : NOTHING) && backup != OLD)
        return "the backup is neither the old file nor an older one";
    return NULL;
}

static void judge_disk(replay *r, size_t moment, names *n, uint64_t fates)
{
    saving_content target = look_into(r, moment, *entry(n, "target"), fates);
    saving_content backup = look_into(r, moment, *entry(n, "target.bak"), fates);
    const char *why = wrong(r, moment, target, backup, mode_of(r, moment, *entry(n, "target"), fates & 1));
    r->disks++;
    if (!why)
        return;
    r->wrong++;
    r->why = why;
}

/* ---- making the disks ---- */

/* All fates of the unsettled writes where they are few, some where they are many. */
static void judge_fates(replay *r, size_t moment, names *n)
{
    size_t unsettled = 0, settled = last_sync(r, moment, *entry(n, "target"));
    for (size_t i = settled; i < moment; i++)
        unsettled += is_of_bytes(&r->events[i], *entry(n, "target"));
    uint64_t all = 1;
    for (size_t i = 0; i < unsettled && all < 200; i++)
        all *= FATES;
    for (uint64_t i = 0; i < all; i++)
        judge_disk(r, moment, n, unsettled <= 5 ? i : random_bits(r));
}

/* The names after the first `moment` events, of which the unsettled are done that `done` has a bit for. Gives how many those are. */
static unsigned make_names(const replay *r, size_t moment, uint64_t done, names *n)
{
    size_t settled = 0, syncs = 0;
    unsigned unsettled = 0;
    for (size_t i = 0; i < moment; i++)
        if (r->events[i].deed == SYNCED_FOLDER && (r->ignored != SYNCED_FOLDER || (r->only_the_first && syncs++)))
            settled = i;
    *n = names_before(r);
    for (size_t i = 0; i < moment; i++)
        if (is_of_names(&r->events[i]) && (i < settled || done >> unsettled++ & 1))
            change_names(n, &r->events[i]);
    return unsettled;
}

static void judge_moment(replay *r, size_t moment)
{
    names n;
    unsigned unsettled = make_names(r, moment, 0, &n);
    assert_true(unsettled < 12);
    for (uint64_t done = 0; done < (uint64_t)1 << unsettled; done++) {
        (void)make_names(r, moment, done, &n);
        judge_fates(r, moment, &n);
    }
}

static uint64_t inode(const char *path, const char *suffix)
{
    char name[256];
    struct stat about;
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &about) == 0 ? about.st_ino : 0;
}

/* Save, and judge all disks of all moments. */
static replay run(const saving *s, int ignored, bool only_the_first)
{
    replay r = {.saving = s, .ignored = ignored, .only_the_first = only_the_first, .random = 88172645463325252U};
    saving_begin(s);
    disk_reset();
    r.old_file = inode(saving_path(), "");
    r.older_file = inode(saving_path(), ".bak");
    the_disk.notes = true;
    the_disk.most = s->size / 30;
    assert_int_equal(saving_run(s, NULL, NULL), PTIO_OK);
    r.events = the_disk.events;
    r.count = the_disk.event_count;
    for (size_t moment = 0; moment <= r.count; moment++)
        judge_moment(&r, moment);
    return r;
}

/* ---- the tests ---- */

static void every_disk_is_sound(void **state)
{
    (void)state;
    unsigned long disks = 0;
    for (const saving *s = savings; s->title; s++) {
        if (s->not_durable)
            continue;
        replay r = run(s, -1, false);
        if (r.wrong)
            fail_msg("%s: %lu of %lu disks: %s", s->title, r.wrong, r.disks, r.why);
        disks += r.disks;
    }
    print_message("%lu disks\n", disks);
    assert_true(disks > 500);
}

static void without_fsync_the_target_may_be_torn(void **state)
{
    (void)state;
    for (const saving *s = savings; s->title; s++) {
        replay r = run(s, SYNCED, false);
        assert_true(r.wrong > 0);
    }
}

static void without_fsync_of_the_folder_the_old_file_may_come_back(void **state)
{
    (void)state;
    for (const saving *s = savings; s->title; s++) {
        replay r = run(s, SYNCED_FOLDER, false);
        assert_true(r.wrong > 0);
    }
}

static void without_fsync_between_the_backup_may_be_missing(void **state)
{
    (void)state;
    for (const saving *s = savings; s->title; s++) {
        replay r = run(s, SYNCED_FOLDER, true);
        if (s->backup && s->had_old)
            assert_string_equal(r.why, "the new file is there, but the old one is not kept");
    }
}

static void not_durable_is_what_it_says(void **state)
{
    (void)state;
    const saving *s = savings;
    while (!s->not_durable)
        s++;
    replay r = run(s, -1, false);
    assert_true(r.wrong > 0);
}

static int clean_up(void **state)
{
    (void)state;
    saving_end();
    disk_reset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_disk_is_sound),
        cmocka_unit_test(without_fsync_the_target_may_be_torn),
        cmocka_unit_test(without_fsync_of_the_folder_the_old_file_may_come_back),
        cmocka_unit_test(without_fsync_between_the_backup_may_be_missing),
        cmocka_unit_test(not_durable_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
