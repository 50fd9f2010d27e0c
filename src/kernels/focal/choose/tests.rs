use super::*;
use crate::kernels::focal::KernelType;
