/*
 * Completion, from the tables that also read the options and print the help: a shell's script asks
 * `heapline --complete WORD...` and hands on what it is told, so that all shells know the same and
 * there is no second list of options anywhere.
 *
 * The words before the cursor are read as options.c reads them, but nothing is ever wrong: what
 * makes no sense is passed over.
 */
#include "viewer/cli/completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "viewer/cli/query_options.h"

/* What is known of the cursor. */
struct cursor {
    const struct subcommand *command;
    const char *word;               /* at the cursor */
    const struct option_spec *spec; /* its value is at the cursor; NULL: none */
    size_t values_left;             /* how many of its values are to come */
    size_t operands;                /* how many have been passed */
    size_t first_operand;           /* the number of its word, from 1 on */
    bool operands_only;
};

/* Offers `head` + `word` when the word at the cursor begins like it. */
static void word_offer(const struct cursor *cursor, const char *head, const char *word,
                       size_t length, const char *meaning)
{
    size_t head_length = strlen(head), typed = strlen(cursor->word);
    size_t compared = typed > head_length ? typed - head_length : 0;
    if (strncmp(cursor->word, head, typed < head_length ? typed : head_length) ||
        compared > length || (compared && strncmp(cursor->word + head_length, word, compared)))
        return;
    printf("%s%.*s", head, (int)length, word);
    if (meaning)
        printf("\t%.*s", (int)strcspn(meaning, "\n"), meaning);
    putchar('\n');
}

/* "block|drop": in small letters the values themselves, in capitals what they are called. */
static bool is_written_out(const char *argument)
{
    return argument[strspn(argument, "abcdefghijklmnopqrstuvwxyz|")] == '\0';
}

static bool is_file(const struct option_spec *spec)
{
    return strstr(spec->argument, "FILE") != NULL;
}

static const struct option_words *words_in(const struct option_words *list, int id)
{
    for (; list && list->id; list++)
        if (list->id == id)
            return list;
    return NULL;
}

/* Those of the command's own option, or of one that all questions share. */
static const struct option_words *words_of(const struct option_table *table, int id)
{
    const struct option_words *own = words_in(table->words, id);
    return own ? own : words_in(query_option_words, id);
}

static void offer_words(const struct cursor *cursor, const struct option_words *list,
                        const char *head)
{
    const char *word;
    for (size_t i = 0; (word = list->words ? list->words[i] : list->word(i)); i++)
        word_offer(cursor, head, word, strlen(word), NULL);
}

static void offer_written_out(const struct cursor *cursor, const char *argument, const char *head)
{
    while (*argument) {
        size_t length = strcspn(argument, "|");
        word_offer(cursor, head, argument, length, NULL);
        argument += length + (argument[length] == '|');
    }
}

/* Offers the values of an option, each behind `head`. */
static void offer_values(const struct cursor *cursor, const struct option_spec *spec,
                         const char *head)
{
    const struct option_words *list = words_of(&cursor->command->options, spec->id);
    if (list)
        offer_words(cursor, list, head);
    else if (is_written_out(spec->argument))
        offer_written_out(cursor, spec->argument, head);
    puts(is_file(spec) ? ":files" : ":nothing");
}

static void offer_options(const struct cursor *cursor)
{
    const struct option_table *table = &cursor->command->options;
    for (size_t i = 0; i < table->spec_count; i++) {
        const struct option_spec *spec = &table->specs[i];
        word_offer(cursor, "--", spec->name, strlen(spec->name), spec->help);
    }
    puts(":nothing");
}

/* "--by=" and what has been typed of its value. */
static void offer_value_behind(const struct cursor *cursor)
{
    size_t length = strcspn(cursor->word, "=");
    const struct option_spec *spec =
        options_named(&cursor->command->options, cursor->word + 2, length - 2);
    char head[64];
    if (!spec || !spec->argument ||
        snprintf(head, sizeof head, "--%s=", spec->name) >= (int)sizeof head)
        puts(":nothing");
    else
        offer_values(cursor, spec, head);
}

static void offer_operands(const struct cursor *cursor)
{
    switch (cursor->command->operands) {
    case OPERANDS_COMMAND:
        printf(":command %zu\n", cursor->first_operand);
        break;
    case OPERANDS_RECORDING:
        puts(":recordings");
        break;
    case OPERANDS_RECORDING_AND_MORE:
        puts(cursor->operands ? ":files" : ":recordings");
        break;
    }
}

static void offer_commands(const struct cursor *cursor, const struct subcommand *const *commands,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *word = subcommand_word(commands[i]);
        if (commands[i]->usage)
            word_offer(cursor, "", word, strlen(word), commands[i]->summary);
    }
    if (*cursor->word == '-') {
        word_offer(cursor, "--", "help", strlen("help"), "print a help text");
        word_offer(cursor, "--", "version", strlen("version"), "print what this build is");
    }
    puts(":nothing");
}

/* Reads a word before the cursor; `number` counts from the command's name on. */
static void cursor_pass(struct cursor *cursor, const char *word, size_t number)
{
    bool takes_all = cursor->command->operands == OPERANDS_COMMAND && cursor->operands;
    if (cursor->values_left) {
        cursor->values_left--;
    } else if (!cursor->operands_only && !takes_all && word[0] == '-' && word[1]) {
        cursor->operands_only = !strcmp(word, "--");
        cursor->spec = options_awaiting(&cursor->command->options, word);
        if (cursor->spec)
            cursor->values_left = strchr(cursor->spec->argument, ' ') ? 2 : 1;
    } else if (!cursor->operands++) {
        cursor->first_operand = number;
    }
}

static void offer_at(const struct cursor *cursor)
{
    bool takes_all = cursor->command->operands == OPERANDS_COMMAND && cursor->operands;
    if (cursor->values_left)
        offer_values(cursor, cursor->spec, "");
    else if (cursor->operands_only || takes_all || *cursor->word != '-')
        offer_operands(cursor);
    else if (cursor->word[1] == '-' && strchr(cursor->word, '='))
        offer_value_behind(cursor);
    else
        offer_options(cursor);
}

void completion_print(const struct subcommand *const *commands, size_t command_count, char **words)
{
    struct cursor cursor = {.word = words[0] ? words[0] : ""};
    if (!words[0] || !words[1]) {
        offer_commands(&cursor, commands, command_count);
        return;
    }
    for (size_t i = 0; i < command_count; i++)
        if (commands[i]->usage && !strcmp(subcommand_word(commands[i]), words[0]))
            cursor.command = commands[i];
    if (!cursor.command) {
        puts(":nothing");
        return;
    }
    size_t last = 1;
    for (; words[last + 1]; last++)
        cursor_pass(&cursor, words[last], last + 1);
    cursor.word = words[last];
    if (!cursor.operands)
        cursor.first_operand = last + 1;
    offer_at(&cursor);
}
