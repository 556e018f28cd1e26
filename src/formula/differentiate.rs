//! The gradient of a node as further nodes of the graph, by reverse accumulation.

use super::error::Problem;
use super::function::Function;
use super::graph::{Graph, Id, Node};

/// ∂`of`/∂xᵢ for the inputs i < `inputs`.
///
/// Every node's adjoint is one sum over the nodes that use it, so that the adjoints of a matrix product are rows of the
/// transposed matrix.
///
/// # Errors
/// The graph outgrows its bounds.
pub fn gradient(graph: &mut Graph, of: Id, inputs: usize) -> Result<Vec<Id>, Problem> {
    let live = graph.reachable(&[of]);
    let depends = depends_on_inputs(graph, &live, inputs);
    let mut parts: Vec<Vec<(f64, Id)>> = vec![Vec::new(); of as usize + 1];
    let one = graph.constant(1.0);
    parts[of as usize].push((1.0, one));
    let zero = graph.constant(0.0);
    let mut gradient = vec![zero; inputs];
    for id in (0..=of).rev() {
        let here = std::mem::take(&mut parts[id as usize]);
        if here.is_empty() {
            continue;
        }
        let adjoint = graph.linear(0.0, here);
        graph.check_size()?;
        let mut add = |x: Id, c: f64, part: Id| {
            if depends[x as usize] {
                parts[x as usize].push((c, part));
            }
        };
        match graph.node(id).clone() {
            Node::Constant(_) => (),
            Node::Input(i) => {
                if let Some(slot) = gradient.get_mut(i as usize) {
                    *slot = adjoint;
                }
            }
            Node::Linear(_, terms) => {
                for &(c, x) in &terms {
                    add(x, c.get(), adjoint);
                }
            }
            Node::Product(a, b) => {
                if depends[a as usize] {
                    add(a, 1.0, graph.product(adjoint, b));
                }
                if depends[b as usize] {
                    add(b, 1.0, graph.product(adjoint, a));
                }
            }
            Node::Quotient(a, b) => {
                let share = graph.quotient(adjoint, b);
                add(a, 1.0, share);
                if depends[b as usize] {
                    add(b, -1.0, graph.product(share, id));
                }
            }
            Node::Power(x, p) => {
                let below = graph.power(x, p.get() - 1.0);
                add(x, p.get(), graph.product(adjoint, below));
            }
            Node::Apply(f, x) => {
                let slope = slope(graph, f, x, id);
                add(x, 1.0, graph.product(adjoint, slope));
            }
        }
    }
    Ok(gradient)
}

fn depends_on_inputs(graph: &Graph, live: &[bool], inputs: usize) -> Vec<bool> {
    let mut depends = vec![false; live.len()];
    for id in 0..live.len() {
        let node = graph.node(id as Id);
        let mut here = matches!(node, Node::Input(i) if (*i as usize) < inputs);
        node.operands(|x| here |= depends[x as usize]);
        depends[id] = here && live[id];
    }
    depends
}

/// f′(x), given the node of f(x).
fn slope(graph: &mut Graph, f: Function, x: Id, value: Id) -> Id {
    let one = graph.constant(1.0);
    match f {
        Function::Exp => value,
        Function::Step => graph.constant(0.0),
        Function::Log => graph.quotient(one, x),
        Function::Sqrt => {
            let quotient = graph.quotient(one, value);
            graph.scale(0.5, quotient)
        }
        Function::Sin => graph.apply(Function::Cos, x),
        Function::Cos => {
            let sine = graph.apply(Function::Sin, x);
            graph.scale(-1.0, sine)
        }
        Function::Tan => {
            let square = graph.product(value, value);
            graph.linear(1.0, vec![(1.0, square)])
        }
        Function::Tanh => {
            let square = graph.product(value, value);
            graph.linear(1.0, vec![(-1.0, square)])
        }
        Function::Sinh => graph.apply(Function::Cosh, x),
        Function::Cosh => graph.apply(Function::Sinh, x),
        Function::Atan => {
            let square = graph.product(x, x);
            let below = graph.linear(1.0, vec![(1.0, square)]);
            graph.quotient(one, below)
        }
        Function::Erf => {
            let square = graph.product(x, x);
            let exponent = graph.scale(-1.0, square);
            let bell = graph.apply(Function::Exp, exponent);
            graph.scale(std::f64::consts::FRAC_2_SQRT_PI, bell)
        }
        Function::Abs => {
            let minus = graph.scale(-1.0, x);
            let up = graph.apply(Function::Step, x);
            let down = graph.apply(Function::Step, minus);
            graph.linear(0.0, vec![(1.0, up), (-1.0, down)])
        }
        Function::Softplus => graph.apply(Function::Sigmoid, x),
        Function::Sigmoid => {
            let minus = graph.scale(-1.0, x);
            let other = graph.apply(Function::Sigmoid, minus);
            graph.product(value, other)
        }
    }
}
