//! What is expected, and how far from it still counts as agreement.

use super::{Resolver, Result};

impl Resolver<'_> {
    pub(super) fn expectations(&self) -> Result<()> {
        let expect = &self.spec.expect;
        if let Some(order) = expect.strong_order {
            self.positive("expect.strong_order", order)?;
            if self.spec.coupling.is_none() {
                let message = "expect.strong_order is about coupled paths, and there is no section [coupling]";
                return self.fail("expect.strong_order", message, "add [coupling]");
            }
        }
        if let Some(exponents) = &expect.exponents
            && !(exponents.len() == 2 && exponents.iter().all(|x| x.is_finite()))
        {
            let message =
                format!("expect.exponents must be two finite numbers [a, b], not {exponents:?}");
            return self.fail("expect.exponents", message, "iterations ∝ α^−a σ^−b");
        }
        match expect.order {
            Some(order) => self.positive("expect.order", order),
            None => Ok(()),
        }
    }

    pub(super) fn margins(&self) -> Result<()> {
        let margins = &self.spec.margins;
        for (key, x) in [
            ("margins.mean", margins.mean),
            ("margins.square", margins.square),
            ("margins.law", margins.law),
            ("margins.ks", margins.ks),
            ("margins.exponent", margins.exponent),
            ("margins.spread", margins.spread),
            ("margins.order", margins.order),
            ("margins.freezing", margins.freezing),
        ] {
            self.positive(key, x)?;
        }
        for (key, x, below) in [
            ("margins.level", margins.level, 0.5),
            ("margins.share", margins.share, 1.0),
        ] {
            if !(x > 0.0 && x < below) {
                let usual = if key == "margins.level" { 0.01 } else { 0.5 };
                return self.fail(
                    key,
                    format!("{key} must lie between 0 and {below}, not {x}"),
                    format!("{usual} is the default"),
                );
            }
        }
        self.within("margins.level", margins.level, (1e-3, 0.5))?;
        if margins.exponent >= 0.5 {
            let message =
                "margins.exponent must be below 0.5, or the two time scales can't be told apart";
            return self.fail("margins.exponent", message, "0.25 is the default");
        }
        Ok(())
    }
}
