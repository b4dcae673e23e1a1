/*
 * Limits of memory as the kernel's files tell of them: made-up hierarchies in a folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#include "collector/system/own_memory.h"
#include "memory_cgroup.h"

static char top[64];

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", top, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", top, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(top, "/tmp/heapline-test-XXXXXX");
    assert_non_null(mkdtemp(top));
    make_folder("a");
    make_folder("a/b");
    make_folder("a/b/c.service");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", top);
    return system(command);
}

static void assert_limit(const char *path, enum cgroup_version version, uint64_t bytes,
                         const char *level, bool kills_together)
{
    struct memory_limit limit;
    memory_limit_read(top, path, version, &limit);
    assert_int_equal(limit.bytes, bytes);
    assert_int_equal(limit.kills_together, kills_together);
    if (level)
        assert_string_equal(limit.folder + strlen(top), level);
    else
        assert_null(limit.folder);
    memory_limit_deinit(&limit);
}

/* As memory.events.local and as memory.oom_control have it. */
static void test_oom_kills(void **state)
{
    (void)state;
    char path[128];
    uint64_t count;
    const char *const texts[] = {
        "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 0\n",
        "oom_kill_disable 0\nunder_oom 1\noom_kill 4\n",
        "low 0\n",
    };
    snprintf(path, sizeof path, "%s/events", top);
    for (unsigned i = 0; i < 3; i++) {
        put("events", texts[i]);
        assert_int_equal(oom_kills_read(path, &count), i < 2);
        assert_int_equal(count, i < 2 ? 4 : 0);
    }
    unlink(path);
    assert_false(oom_kills_read(path, &count));
    assert_false(oom_kills_read(NULL, &count));
}

static void test_the_smallest_of_all_levels(void **state)
{
    (void)state;
    assert_limit("/a/b", CGROUP_VERSION_2, 0, NULL, false);
    put("a/b/memory.max", "max\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 0, NULL, false);
    put("memory.max", "5000\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 5000, "", false);
    put("a/memory.max", "4000\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 4000, "/a", false);
    put("a/b/memory.max", "4500\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 4000, "/a", false);
    put("a/b/memory.max", "0\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 0, "/a/b", false);
    assert_limit("/a", CGROUP_VERSION_2, 4000, "/a", false);
    assert_limit("", CGROUP_VERSION_2, 5000, "", false);
    assert_limit("/not/there", CGROUP_VERSION_2, 5000, "", false);
}

static void test_killed_together(void **state)
{
    (void)state;
    put("a/memory.oom.group", "0\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 0, NULL, false);
    put("a/memory.oom.group", "1\n");
    assert_limit("/a/b", CGROUP_VERSION_2, 0, NULL, true);
    assert_limit("", CGROUP_VERSION_2, 0, NULL, false);
    put("a/memory.oom.group", "0\n");
    assert_limit("/a/b/c.service", CGROUP_VERSION_2, 0, NULL, true);
}

static void test_the_first_version(void **state)
{
    (void)state;
    put("a/b/memory.limit_in_bytes", "9223372036854771712\n");
    put("a/memory.oom.group", "1\n");
    assert_limit("/a/b", CGROUP_VERSION_1, 0, NULL, false);
    put("a/memory.limit_in_bytes", "8192\n");
    assert_limit("/a/b", CGROUP_VERSION_1, 8192, "/a", false);
    assert_limit("/a/b/c.service", CGROUP_VERSION_1, 8192, "/a", false);
}

/* What the kernel holds of files it gives back when somebody needs it. */
static void test_room(void **state)
{
    (void)state;
    struct memory_limit limit;
    uint64_t room;
    put("a/memory.max", "1000\n");
    memory_limit_read(top, "/a", CGROUP_VERSION_2, &limit);
    assert_false(memory_limit_room(&limit, &room));
    put("a/memory.current", "600\n");
    assert_true(memory_limit_room(&limit, &room));
    assert_int_equal(room, 400);
    put("a/memory.stat", "anon 300\nfile 300\ninactive_file 200\nactive_file 90\n");
    assert_true(memory_limit_room(&limit, &room));
    assert_int_equal(room, 690);
    put("a/memory.current", "1200\n");
    put("a/memory.stat", "anon 300\n");
    assert_true(memory_limit_room(&limit, &room));
    assert_int_equal(room, 0);
    memory_limit_deinit(&limit);
    assert_false(memory_limit_room(&limit, &room));
}

static void test_the_collectors_share(void **state)
{
    (void)state;
    struct memory_limit limit;
    char text[256];
    put("a/memory.max", "104857600\n");
    memory_limit_read(top, "/a", CGROUP_VERSION_2, &limit);
    assert_false(own_share_is_exceeded(&limit, 26214400, text, sizeof text));
    assert_true(own_share_is_exceeded(&limit, 26214401, text, sizeof text));
    assert_non_null(strstr(text, "a quarter of the 100.0 MiB"));
    put("a/memory.current", "98304000\n"); /* a sixteenth is left */
    assert_false(own_share_is_exceeded(&limit, 1048576, text, sizeof text));
    put("a/memory.current", "98304001\n");
    assert_true(own_share_is_exceeded(&limit, 1048576, text, sizeof text));
    assert_non_null(strstr(text, "hardly anything left of the 100.0 MiB"));
    assert_non_null(strstr(text, "held 1.0 MiB"));
    memory_limit_deinit(&limit);
}

static void test_own_memory(void **state)
{
    (void)state;
    uint64_t before = own_memory_bytes();
    assert_in_range(before, 1, UINT64_C(1) << 30);
    size_t size = (size_t)8 << 20;
    char *more = malloc(size);
    assert_non_null(more);
    memset(more, 1, size);
    /* A sanitizer's shadow is up to five times as large, and beside it. */
    assert_in_range(own_memory_bytes(), before + size / 2, before + 8 * size);
    free(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_oom_kills, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_smallest_of_all_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_collectors_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
