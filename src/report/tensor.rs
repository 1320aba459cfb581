//! A tensor as text: its shape and the corners of its values.

/// The number of values shown at each end of an axis.
const EDGE: usize = 3;

/// The text of a tensor: `tensor f32 [2, 3]` and its values, abbreviated. `values` are in row-major
/// order, as many as the shape has.
pub fn tensor_text(shape: &[usize], values: &[f32], dtype: &str) -> String {
    let head = format!("tensor {dtype} {shape:?}");
    if shape.is_empty() {
        return format!(
            "{head} {}",
            values.first().map_or(String::new(), |v| number(*v))
        );
    }
    if values.is_empty() {
        return head;
    }
    let columns = shape[shape.len() - 1];
    let shown = shown_indices(columns);
    let width = lines_of(shape)
        .iter()
        .filter_map(|line| line.map(|line| line * columns))
        .flat_map(|start| shown.iter().flatten().map(move |i| start + i))
        .map(|i| number(values[i]).len())
        .max()
        .unwrap_or(1);
    let mut text = head;
    for line in lines_of(shape) {
        text.push_str("\n  ");
        match line {
            None => text.push('…'),
            Some(line) => {
                let row: Vec<String> = shown
                    .iter()
                    .map(|i| match i {
                        Some(i) => format!("{:>width$}", number(values[line * columns + i])),
                        None => "…".into(),
                    })
                    .collect();
                text.push_str(&row.join(" "));
            }
        }
    }
    text
}

/// The rows to show, as indices into the flattened leading axes; `None` stands for the omitted
/// ones.
fn lines_of(shape: &[usize]) -> Vec<Option<usize>> {
    shown_indices(shape[..shape.len() - 1].iter().product())
}

fn shown_indices(n: usize) -> Vec<Option<usize>> {
    if n <= 2 * EDGE + 1 {
        return (0..n).map(Some).collect();
    }
    let mut indices: Vec<Option<usize>> = (0..EDGE).map(Some).collect();
    indices.push(None);
    indices.extend((n - EDGE..n).map(Some));
    indices
}

fn number(value: f32) -> String {
    let size = value.abs();
    if value != 0.0 && value.is_finite() && !(1e-3..1e6).contains(&size) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tensors_are_shown_in_full() {
        assert_eq!(
            tensor_text(&[2, 2], &[1.0, -2.5, f32::NEG_INFINITY, 1e-9], "f32"),
            "tensor f32 [2, 2]\n    1.0000  -2.5000\n      -inf 1.000e-9"
        );
        assert_eq!(tensor_text(&[], &[0.5], "f32"), "tensor f32 [] 0.5000");
        assert_eq!(tensor_text(&[0, 3], &[], "f32"), "tensor f32 [0, 3]");
    }

    #[test]
    fn large_tensors_show_their_corners() {
        let values: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        let text = tensor_text(&[1, 10, 100], &values, "f32");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(
            lines[1],
            "    0.0000   1.0000   2.0000 …  97.0000  98.0000  99.0000"
        );
        assert_eq!(lines[4], "  …");
        assert!(lines[7].ends_with("999.0000"));
    }
}
