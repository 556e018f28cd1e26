//! The elementary functions of a number with derivatives, each by its value and two derivatives at the real part.

/// f of a number with derivatives, given f, f′ and f″ at its real part.
pub(crate) trait Chain<S> {
    fn chain(self, value: S, first: S, second: S) -> Self;
}

/// The functions of `Scalar` for a type with a part `re` that is `$real`, and with [`Chain`].
macro_rules! elementary_functions {
    ($real:ty) => {
        #[inline(always)]
        fn exp(self) -> Self {
            let value = Scalar::exp(self.re);
            self.chain(value, value, value)
        }

        #[inline(always)]
        fn sin(self) -> Self {
            let (sin, cos) = (Scalar::sin(self.re), Scalar::cos(self.re));
            self.chain(sin, cos, -sin)
        }

        #[inline(always)]
        fn cos(self) -> Self {
            let (sin, cos) = (Scalar::sin(self.re), Scalar::cos(self.re));
            self.chain(cos, -sin, -cos)
        }

        #[inline(always)]
        fn tanh(self) -> Self {
            let value = Scalar::tanh(self.re);
            // 1 − tanh² = 4σ(2x)σ(−2x), which does not cancel in the tails.
            let x = <$real as Scalar>::constant(2.0) * self.re;
            let first = <$real as Scalar>::constant(4.0) * Scalar::sigmoid(x) * Scalar::sigmoid(-x);
            self.chain(
                value,
                first,
                <$real as Scalar>::constant(-2.0) * value * first,
            )
        }

        #[inline(always)]
        fn erf(self) -> Self {
            let first = <$real as Scalar>::constant(std::f64::consts::FRAC_2_SQRT_PI)
                * Scalar::exp(-(self.re * self.re));
            let second = <$real as Scalar>::constant(-2.0) * self.re * first;
            self.chain(Scalar::erf(self.re), first, second)
        }

        #[inline(always)]
        fn softplus(self) -> Self {
            let (up, down) = (Scalar::sigmoid(self.re), Scalar::sigmoid(-self.re));
            self.chain(Scalar::softplus(self.re), up, up * down)
        }

        #[inline(always)]
        fn sigmoid(self) -> Self {
            let (up, down) = (Scalar::sigmoid(self.re), Scalar::sigmoid(-self.re));
            self.chain(up, up * down, up * down * (down - up))
        }

        #[inline(always)]
        fn ln(self) -> Self {
            let first = <$real as Scalar>::one() / self.re;
            self.chain(Scalar::ln(self.re), first, -(first * first))
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            let value = Scalar::sqrt(self.re);
            let first = <$real as Scalar>::constant(0.5) / value;
            self.chain(
                value,
                first,
                <$real as Scalar>::constant(-0.5) * first / self.re,
            )
        }

        #[inline(always)]
        fn tan(self) -> Self {
            let value = Scalar::tan(self.re);
            let first = Scalar::mul_add(value, value, <$real as Scalar>::one());
            self.chain(
                value,
                first,
                <$real as Scalar>::constant(2.0) * value * first,
            )
        }

        #[inline(always)]
        fn sinh(self) -> Self {
            let (sinh, cosh) = (Scalar::sinh(self.re), Scalar::cosh(self.re));
            self.chain(sinh, cosh, sinh)
        }

        #[inline(always)]
        fn cosh(self) -> Self {
            let (sinh, cosh) = (Scalar::sinh(self.re), Scalar::cosh(self.re));
            self.chain(cosh, sinh, cosh)
        }

        #[inline(always)]
        fn atan(self) -> Self {
            let first = <$real as Scalar>::one()
                / Scalar::mul_add(self.re, self.re, <$real as Scalar>::one());
            let second = <$real as Scalar>::constant(-2.0) * self.re * first * first;
            self.chain(Scalar::atan(self.re), first, second)
        }

        #[inline(always)]
        fn abs(self) -> Self {
            let sign = Scalar::step(self.re) - Scalar::step(-self.re);
            self.chain(Scalar::abs(self.re), sign, <$real as Scalar>::zero())
        }

        #[inline(always)]
        fn powf(self, p: f64) -> Self {
            let first = <$real as Scalar>::constant(p) * Scalar::powf(self.re, p - 1.0);
            let second =
                <$real as Scalar>::constant(p * (p - 1.0)) * Scalar::powf(self.re, p - 2.0);
            self.chain(Scalar::powf(self.re, p), first, second)
        }

        #[inline(always)]
        fn element_done() {
            <$real as Scalar>::element_done();
        }
    };
}

pub(crate) use elementary_functions;
