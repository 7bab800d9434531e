//! The display as the user sees it.

use ipdect_dect::display::{CLEAR, Size};

const RETURN: u8 = 0x0D;
const DOWN: u8 = 0x0A;

/// Characters on a display of fixed size, and where the next one goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    size: Size,
    cells: Vec<u8>,
    at: usize,
}

impl Screen {
    pub(crate) fn new(size: Size) -> Self {
        let cells = usize::from(size.lines) * usize::from(size.columns);
        Self {
            size,
            cells: vec![b' '; cells],
            at: 0,
        }
    }

    /// Writes display characters: a text goes on over the lines; what does not fit is lost.
    pub(crate) fn write(&mut self, octets: &[u8]) {
        let columns = usize::from(self.size.columns).max(1);
        for &octet in octets {
            match octet {
                CLEAR => {
                    self.cells.fill(b' ');
                    self.at = 0;
                }
                RETURN => self.at -= self.at % columns,
                DOWN => self.at += columns,
                b' '..=b'~' => {
                    if let Some(cell) = self.cells.get_mut(self.at) {
                        *cell = octet;
                    }
                    self.at += 1;
                }
                _ => {}
            }
        }
    }

    /// The lines, without the spaces at their ends and without empty lines at the end.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = usize::from(self.size.columns).max(1);
        let mut lines: Vec<String> = self
            .cells
            .chunks(columns)
            .map(|line| String::from_utf8_lossy(line).trim_end().to_owned())
            .collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_dect::display;
    use ipdect_dect::nwk::Ie;

    #[test]
    fn text_made_for_the_display_comes_out_line_by_line() {
        let size = Size {
            lines: 2,
            columns: 8,
        };
        let mut screen = Screen::new(size);
        let Ie::MultiDisplay(octets) = display::text(&["Jim", "Kander calls"], size) else {
            panic!()
        };
        screen.write(&octets);
        assert_eq!(screen.lines(), ["Jim", "Kander c"]);
        screen.write(b"\x0CA\x0A\x0DB\x01");
        assert_eq!(screen.lines(), ["A", "B"]);
        screen.write(&[b'x'; 100]);
        assert_eq!(screen.lines()[1], "Bxxxxxxx");
    }

    #[test]
    fn a_display_without_cells_does_no_harm() {
        let mut screen = Screen::new(Size {
            lines: 0,
            columns: 0,
        });
        screen.write(b"\x0Cabc\x0D\x0A");
        assert!(screen.lines().is_empty());
    }
}
