# style.gp - what all pictures share: colours, lines, borders, the axis of times. Loaded first by every kind.
#
# Sizes: plot.c gives every format the same canvas, `canvas_w` by `canvas_h` pixels of 1/96 inch. Fonts of 10, 11 and 12 points are
# 13, 15 and 16 of them. A picture of one kind is 5.4 inches wide or less: in a column of 3.4 inches its smallest text has 6 points.
#
# Colours: Okabe and Ito, Color Universal Design (2008): told apart by people with any colour vision; the yellow is left out
# because it does not show on white.
array color[7] = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000']
hue(i) = color[1 + int(i) % 7]
grey = '#666666'
good = '#0072B2'
bad = '#D55E00'

set encoding utf8
set datafile separator tab
set border 3 lw 1 lc rgb '#333333'
set tics nomirror out scale 0.6 font ',10' textcolor rgb '#222222'
set dashtype 2 (9, 4)
set grid lt 1 lw 0.6 dt 1 lc rgb '#E0E0E0'
set key Left reverse samplen 2 font ',10'

# A place on the canvas, from pixels right of its left edge and below its top.
px(x) = x / (1.0 * canvas_w)
py(y) = 1.0 - y / (1.0 * canvas_h)

# Names of powers of ten of seconds.
time_label(k) = k < -6 ? sprintf('%d ns', 10**(k + 9)) : \
                k < -3 ? sprintf('%d µs', 10**(k + 6)) : \
                k < 0 ? sprintf('%d ms', 10**(k + 3)) : \
                k < 5 ? sprintf('%d s', 10**k) : sprintf('1e%d s', k)

# Simulated time in a unit that gives short numbers.
time_unit = duration <= 600 ? 's' : duration <= 4 * 3600 ? 'min' : duration <= 96 * 3600 ? 'h' : 'd'
time_scale = duration <= 600 ? 1.0 : duration <= 4 * 3600 ? 60.0 : duration <= 96 * 3600 ? 3600.0 : 86400.0

# Rates in a unit in which the largest is at least 1.
rate_most = 0.0
do for [i = 1 : groups] { if (ticks > 0 && group_peak[(i - 1) * 6 + 2] > rate_most) { rate_most = group_peak[(i - 1) * 6 + 2] } }
rate_unit = rate_most == 0 || rate_most >= 1 ? 's' : rate_most * 60 >= 1 ? 'min' : 'h'
rate_scale = rate_unit eq 's' ? 1.0 : rate_unit eq 'min' ? 60.0 : 3600.0

# Keys are placed entry by entry, because gnuplot's own guess at the width of a text differs between formats. A key has key_n entries
# of at most key_m characters; it is centred at key_x, at most key_w pixels wide, and begins key_y pixels below the canvas's top.
key_entry(m) = 50 + 7.4 * m
key_fit(m, w) = int(w / key_entry(m)) < 1 ? 1 : int(w / key_entry(m))
key_rows(n, m, w) = n == 0 ? 0 : int((n + key_fit(m, w) - 1) / key_fit(m, w))
key_columns(n, m, w) = n == 0 ? 1 : int((n + key_rows(n, m, w) - 1) / key_rows(n, m, w))
key_left(k) = px(key_x + key_entry(key_m) * (int(k) % key_columns(key_n, key_m, key_w) - 0.5 * key_columns(key_n, key_m, key_w)) + 38)
key_top(k) = py(key_y + 9 + 18 * (int(k) / key_columns(key_n, key_m, key_w)))
longest_curve = 1
do for [i = 1 : curves] { if (strlen(curve_title[i]) > longest_curve) { longest_curve = strlen(curve_title[i]) } }
longest_group = 1
do for [i = 1 : groups] { if (strlen(group_name[i]) > longest_group) { longest_group = strlen(group_name[i]) } }

# Replicas are shown of the groups that scale, of all when none does: a group's place among them, and the entries of their key.
shown(i) = any_scaled == 0 || group_scaled[i] > 0
array rank[groups > 0 ? groups : 1]
shown_groups = 0
do for [i = 1 : groups] { rank[i] = shown_groups; if (shown(i)) { shown_groups = shown_groups + 1 } }
shown_entries = any_scaled ? 2 * shown_groups : shown_groups

# Targets close to each other have their texts one above the other, in at most three rows.
target_rows = 0
target_rows_most = 2
do for [i = 1 : curves] { if (target[i] > 0 && target_row[i] > target_rows) { target_rows = target_row[i] } }
if (target_rows > target_rows_most) { target_rows = target_rows_most }

# What does not fit is counted.
left_out_text(n, what) = sprintf('%d more %s not drawn', n, what)
