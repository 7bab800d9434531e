/* Processor time, median of 30 samples after a warm-up: the same method as the benches beside it. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES 30
#define SAMPLE_NS 100e6

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int less(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double once(void (*work)(void), long times) {
    double begin = now_ns();
    for (long n = 0; n < times; n++)
        work();
    return now_ns() - begin;
}

static void measure(const char *word, void (*work)(void)) {
    long times = 64;
    while (once(work, times) < SAMPLE_NS)
        times *= 2;
    double samples[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        samples[i] = once(work, times / 2) / (times / 2);
    qsort(samples, SAMPLES, sizeof samples[0], less);
    printf("%s %.1f\n", word, samples[SAMPLES / 2]);
}

#endif
