//! PNG: the vector graphic of a figure as pixels, on white.

use std::sync::{Arc, OnceLock};

use png::{ColorType, Compression, Encoder, EncodingError};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use super::svg::FONT;
use crate::report::stored::StoredError;

/// Pixels a point: 288 dots an inch.
const SCALE: f32 = 4.0;

/// Renders the text of an SVG file. The font comes with the program, so that the image is the same on every machine.
///
/// # Errors
/// The SVG is not valid, or has no area.
pub fn png(name: &str, svg: &str) -> Result<Vec<u8>, StoredError> {
    let fail = |reason: String| StoredError::Image(name.to_owned(), reason);
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.load_font_data(dejavu::sans::bold().to_vec());
        Arc::new(fonts)
    });
    let options = Options {
        font_family: FONT.into(),
        fontdb: fonts.clone(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|error| fail(error.to_string()))?;
    let size = tree.size();
    let [width, height] = [size.width(), size.height()].map(|x| (x * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or_else(|| fail("it has no area".into()))?;
    pixels.fill(Color::WHITE);
    resvg::render(
        &tree,
        Transform::from_scale(SCALE, SCALE),
        &mut pixels.as_mut(),
    );
    encode(&pixels).map_err(|error| fail(error.to_string()))
}

/// As a PNG file, compressed fast: a run writes a dozen of them.
fn encode(pixels: &Pixmap) -> Result<Vec<u8>, EncodingError> {
    // The ground is white and opaque: nothing is transparent.
    let colors = pixels.pixels().iter();
    let rgb: Vec<u8> = colors
        .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
        .collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fast);
    encoder.write_header()?.write_image_data(&rgb)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_pixels_and_text_leaves_ink() {
        let text = r#"<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20" viewBox="0 0 30 20"><text x="2" y="15" font-family="DejaVu Sans" font-size="12">α²</text></svg>"#;
        let image = Pixmap::decode_png(&png("test", text).unwrap()).unwrap();
        assert_eq!((image.width(), image.height()), (120, 80));
        let dark = image.pixels().iter().filter(|pixel| pixel.red() < 128);
        assert!(dark.count() > 100);
        assert!(png("test", "<svg").is_err());
    }
}
