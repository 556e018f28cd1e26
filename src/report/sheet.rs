//! Tables of values in the formats that people and programs read: aligned text, Markdown, CSV and JSON.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::table::{plain_table, short};

/// How tables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: numbers rounded.
    #[default]
    Table,
    /// For programs: a list of rows for a single table; for several an object with a list of rows for each. Numbers in full.
    Json,
    /// Tables in Markdown, numbers rounded.
    Markdown,
    /// A single table as it is; several as one with the columns table, row, column and value. Numbers in full.
    Csv,
}

/// A table of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Its name.
    pub name: &'static str,
    /// Names of the columns.
    pub header: Vec<String>,
    /// The rows; null where there is nothing to say.
    pub rows: Vec<Vec<Value>>,
}

impl Sheet {
    /// An empty table.
    pub fn new<S: Into<String>>(name: &'static str, header: impl IntoIterator<Item = S>) -> Self {
        Self {
            name,
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    fn json(&self) -> Value {
        let row = |row: &Vec<Value>| {
            let cells = self.header.iter().cloned().zip(row.iter().cloned());
            Value::Object(cells.collect::<Map<_, _>>())
        };
        self.rows.iter().map(row).collect()
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escaped = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let mut text = line(self.header.iter().map(|name| escaped(name)).collect());
        text += &line(vec!["---".into(); self.header.len()]);
        for row in &self.rows {
            text += &line(row.iter().map(|cell| escaped(&rounded(cell))).collect());
        }
        text
    }

    fn table(&self, width: Option<u16>) -> String {
        let mut table = plain_table(width);
        table.force_no_tty().set_header(&self.header);
        for row in &self.rows {
            table.add_row(row.iter().map(rounded));
        }
        let lines = table.to_string();
        let lines: Vec<_> = lines.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }
}

/// The tables in a format. `width` in characters for [`Format::Table`], that of the terminal if `None`.
pub fn sheets_text(sheets: &[Sheet], format: Format, width: Option<u16>) -> String {
    match (format, sheets) {
        (Format::Json, [sheet]) => format!("{:#}\n", sheet.json()),
        (Format::Json, sheets) => {
            let named = sheets.iter().map(|s| (s.name.to_owned(), s.json()));
            format!("{:#}\n", Value::Object(named.collect()))
        }
        (Format::Csv, [sheet]) => {
            let rows = sheet
                .rows
                .iter()
                .map(|row| row.iter().map(in_full).collect());
            csv_text(&sheet.header, rows)
        }
        (Format::Csv, sheets) => {
            let header = ["table", "row", "column", "value"].map(String::from);
            csv_text(&header, sheets.iter().flat_map(long))
        }
        (Format::Table, [sheet]) => sheet.table(width),
        (Format::Markdown, [sheet]) => sheet.markdown(),
        (format, sheets) => {
            let mut text = String::new();
            for (i, sheet) in sheets.iter().enumerate() {
                let gap = if i > 0 { "\n" } else { "" };
                let _ = match format {
                    Format::Markdown => {
                        write!(text, "{gap}### {}\n\n{}", sheet.name, sheet.markdown())
                    }
                    _ => write!(text, "{gap}{}\n{}", sheet.name, sheet.table(width)),
                };
            }
            text
        }
    }
}

/// A line for each cell that has something in it.
fn long(sheet: &Sheet) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for (number, row) in sheet.rows.iter().enumerate() {
        for (column, cell) in sheet.header.iter().zip(row) {
            if !cell.is_null() {
                let place = [sheet.name.to_owned(), (number + 1).to_string()];
                lines.push([&place[..], &[column.clone(), in_full(cell)]].concat());
            }
        }
    }
    lines
}

fn csv_text(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    // Writing to memory can't fail.
    let _ = csv.write_record(header);
    for row in rows {
        let _ = csv.write_record(row);
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn in_full(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn rounded(cell: &Value) -> String {
    match cell {
        Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap_or(f64::NAN)),
        other => in_full(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new("first", ["name", "x"]);
        sheet.rows.push(vec![json!("a|b"), json!(0.123_456_789)]);
        sheet.rows.push(vec![json!("c, d"), Value::Null]);
        sheet
    }

    #[test]
    fn a_single_table_in_each_format() {
        let text = |format| sheets_text(&[sheet()], format, Some(80));
        assert_eq!(text(Format::Csv), "name,x\na|b,0.123456789\n\"c, d\",\n");
        assert_eq!(
            text(Format::Markdown),
            "| name | x |\n| --- | --- |\n| a\\|b | 0.1235 |\n| c, d |  |\n"
        );
        let json: Value = serde_json::from_str(&text(Format::Json)).unwrap();
        assert_eq!(
            json,
            json!([{"name": "a|b", "x": 0.123_456_789}, {"name": "c, d", "x": null}])
        );
        let table = text(Format::Table);
        assert!(table.contains("0.1235") && table.contains('─'), "{table}");
    }

    #[test]
    fn several_tables_in_each_format() {
        let mut other = Sheet::new("second", ["n"]);
        other.rows.push(vec![json!(3)]);
        let text = |format| sheets_text(&[sheet(), other.clone()], format, Some(80));
        let csv = text(Format::Csv);
        assert_eq!(
            csv,
            "table,row,column,value\nfirst,1,name,a|b\nfirst,1,x,0.123456789\nfirst,2,name,\"c, d\"\nsecond,1,n,3\n"
        );
        let json: Value = serde_json::from_str(&text(Format::Json)).unwrap();
        assert_eq!(json["second"], json!([{"n": 3}]));
        assert!(text(Format::Markdown).contains("\n### second\n\n| n |"));
    }
}
