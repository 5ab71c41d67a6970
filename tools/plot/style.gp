# style.gp - what all pictures share: colours, lines, borders, the axis of times. Loaded first by every kind.
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
set grid lw 0.6 lc rgb '#DDDDDD'
set key Left reverse samplen 2 spacing 1.1 font ',10'

# Names of powers of ten of seconds.
time_label(k) = k < -6 ? sprintf('%d ns', 10**(k + 9)) : \
                k < -3 ? sprintf('%d µs', 10**(k + 6)) : \
                k < 0 ? sprintf('%d ms', 10**(k + 3)) : \
                k < 5 ? sprintf('%d s', 10**k) : sprintf('1e%d s', k)

# Simulated time in a unit that gives short numbers.
time_unit = duration <= 600 ? 's' : duration <= 4 * 3600 ? 'min' : duration <= 96 * 3600 ? 'h' : 'd'
time_scale = duration <= 600 ? 1.0 : duration <= 4 * 3600 ? 60.0 : duration <= 96 * 3600 ? 3600.0 : 86400.0

# Columns that a key needs for texts of at most n characters in a panel of w points, and its rows.
key_columns(n, w) = w / (n * 6.2 + 45) >= 3 ? 3 : w / (n * 6.2 + 45) >= 2 ? 2 : 1
key_rows(count, columns) = int((count + columns - 1) / columns)
longest_curve = 1
do for [i = 1 : curves] { if (strlen(curve_title[i]) > longest_curve) { longest_curve = strlen(curve_title[i]) } }
longest_group = 1
do for [i = 1 : groups] { if (strlen(group_name[i]) > longest_group) { longest_group = strlen(group_name[i]) } }
