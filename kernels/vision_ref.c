/* References of the vision operations. */
#include "ops.h"

#include <math.h>

int nf_conv2d_out(int size, const struct nf_conv2d *a)
{
    return (size + 2 * a->pad - a->kernel) / a->stride + 1;
}

static double conv_at(const struct nf_conv2d *a, const float *x, const float *w,
                      const int at[4])
{
    double sum = 0.0;
    for (int r = 0; r < a->kernel; r++) {
        int y = at[1] * a->stride + r - a->pad;
        for (int s = 0; y >= 0 && y < a->height && s < a->kernel; s++) {
            int column = at[2] * a->stride + s - a->pad;
            if (column < 0 || column >= a->width) {
                continue;
            }
            const float *from =
                x + (((size_t)at[0] * (size_t)a->height + (size_t)y) * (size_t)a->width +
                     (size_t)column) *
                        (size_t)a->channels;
            const float *by =
                w + (((size_t)at[3] * (size_t)a->kernel + (size_t)r) * (size_t)a->kernel +
                     (size_t)s) *
                        (size_t)a->channels;
            for (int c = 0; c < a->channels; c++) {
                sum += (double)from[c] * (double)by[c];
            }
        }
    }
    return sum;
}

void nf_conv2d_reference(float *out, const struct nf_conv2d *a, const float *x,
                         const float *w, const float *bias, const float *add)
{
    int height = nf_conv2d_out(a->height, a), width = nf_conv2d_out(a->width, a);
    size_t i = 0;
    for (int n = 0; n < a->batch; n++) {
        for (int pixel = 0; pixel < height * width; pixel++) {
            for (int k = 0; k < a->filters; k++, i++) {
                const int at[4] = {n, pixel / width, pixel % width, k};
                double v = conv_at(a, x, w, at);
                v += bias ? (double)bias[k] : 0.0;
                v += add ? (double)add[i] : 0.0;
                out[i] = (float)(a->relu && v < 0.0 ? 0.0 : v);
            }
        }
    }
}

double nf_conv2d_flop(const struct nf_conv2d *a)
{
    return 2.0 * a->batch * nf_conv2d_out(a->height, a) * nf_conv2d_out(a->width, a) *
           a->filters * a->kernel * a->kernel * a->channels;
}

double nf_conv2d_bytes(const struct nf_conv2d *a)
{
    double in = (double)a->batch * a->height * a->width * a->channels;
    double out = (double)a->batch * nf_conv2d_out(a->height, a) *
                 nf_conv2d_out(a->width, a) * a->filters * (a->add ? 2.0 : 1.0);
    return 2.0 * (in + out + (double)a->filters * a->kernel * a->kernel * a->channels);
}

int nf_pool2d_out(int size, const struct nf_pool2d *a)
{
    return a->size == 0 ? 1 : (size + 2 * a->pad - a->size) / a->stride + 1;
}

static double pool_at(const struct nf_pool2d *a, const float *x, const int at[4])
{
    double best = -INFINITY, sum = 0.0;
    bool mean = a->size == 0;
    int rows = mean ? a->height : a->size, columns = mean ? a->width : a->size;
    for (int r = 0; r < rows; r++) {
        for (int s = 0; s < columns; s++) {
            int y = at[1] * a->stride + r - a->pad,
                column = at[2] * a->stride + s - a->pad;
            if (y < 0 || y >= a->height || column < 0 || column >= a->width) {
                continue;
            }
            double v = (double)
                x[(((size_t)at[0] * (size_t)a->height + (size_t)y) * (size_t)a->width +
                   (size_t)column) *
                      (size_t)a->channels +
                  (size_t)at[3]];
            best = fmax(best, v);
            sum += v;
        }
    }
    return mean ? sum / ((double)a->height * a->width) : best;
}

void nf_pool2d_reference(float *out, const struct nf_pool2d *a, const float *x)
{
    int height = nf_pool2d_out(a->height, a), width = nf_pool2d_out(a->width, a);
    size_t i = 0;
    for (int n = 0; n < a->batch; n++) {
        for (int pixel = 0; pixel < height * width; pixel++) {
            for (int c = 0; c < a->channels; c++, i++) {
                const int at[4] = {n, pixel / width, pixel % width, c};
                out[i] = (float)pool_at(a, x, at);
            }
        }
    }
}

/* Means and deviations of ImageNet's three channels, as every ResNet of torchvision expects them. */
static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};

static double sample(const struct nf_resize *a, const unsigned char *picture, double y,
                     double x, int c)
{
    double top = floor(y), left = floor(x);
    double value = 0.0;
    for (int corner = 0; corner < 4; corner++) {
        double dy = corner > 1 ? 1.0 : 0.0, dx = corner % 2;
        double weight =
            (dy > 0.0 ? y - top : 1.0 - y + top) * (dx > 0.0 ? x - left : 1.0 - x + left);
        int row = (int)fmin(fmax(top + dy, 0.0), a->in_height - 1.0);
        int column = (int)fmin(fmax(left + dx, 0.0), a->in_width - 1.0);
        value +=
            weight *
            picture[((size_t)row * (size_t)a->in_width + (size_t)column) * 3 + (size_t)c];
    }
    return value;
}

void nf_resize_reference(float *out, const struct nf_resize *a, const unsigned char *x)
{
    double fy = (double)a->in_height / a->out_height,
           fx = (double)a->in_width / a->out_width;
    size_t picture = (size_t)a->in_height * (size_t)a->in_width * 3;
    int pixels = a->out_height * a->out_width;
    for (int i = 0; i < a->batch * pixels; i++) {
        int p = i % pixels / a->out_width, q = i % a->out_width;
        const unsigned char *from = x + (size_t)(i / pixels) * picture;
        for (int c = 0; c < a->out_channels; c++) {
            double v = 0.0;
            if (c < 3) {
                v = sample(a, from, (p + 0.5) * fy - 0.5, (q + 0.5) * fx - 0.5, c);
                v = (v / 255.0 - mean[c]) / deviation[c];
            }
            *out++ = (float)v;
        }
    }
}

static double overlap(const float *a, const float *b)
{
    double width = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
    double height = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
    double both = fmax(width, 0.0) * fmax(height, 0.0);
    double area_a = ((double)a[2] - (double)a[0]) * ((double)a[3] - (double)a[1]);
    double area_b = ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]);
    return both / (area_a + area_b - both);
}

void nf_nms_reference(unsigned char *keep, const float *corners, int boxes,
                      float threshold)
{
    for (int i = 0; i < boxes; i++) {
        keep[i] = 1;
        for (int j = 0; j < i && keep[i]; j++) {
            if (keep[j] &&
                overlap(corners + 4 * i, corners + 4 * j) > (double)threshold) {
                keep[i] = 0;
            }
        }
    }
}
