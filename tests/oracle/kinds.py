"""Kinds of objects that PyTorch prints by their state: each of torch.nn and torch.ao, of optimizers, schedulers, and distributions.

    everything()     (name, object) of each kind that small arguments make; many in several variants
    too_few(kinds)   a text for each family of which fewer kinds were compared than there are in PyTorch 2.13

What a release does not have, or cannot make, is left out.
"""
import collections
import contextlib
import warnings

import torch
import torch.ao.nn.intrinsic
import torch.ao.nn.intrinsic.qat
import torch.ao.nn.intrinsic.quantized
import torch.ao.nn.intrinsic.quantized.dynamic
import torch.ao.nn.qat
import torch.ao.nn.qat.dynamic
import torch.ao.nn.quantizable
import torch.ao.nn.quantized
import torch.ao.nn.quantized.dynamic
import torch.ao.nn.quantized.reference
import torch.ao.quantization
import torch.distributions
import torch.nn as nn
import torch.nn.utils.prune
import torch.optim.swa_utils

FAMILIES = {"torch.nn.": 160, "torch.ao.": 100, "torch.optim.lr_scheduler.": 15, "torch.optim.": 16, "torch.distributions.": 80}


def family(class_):
    name = "%s.%s" % (class_.__module__, class_.__qualname__)
    return next((f for f in FAMILIES if name.startswith(f) and not (f == "torch.optim." and "lr_scheduler" in name)), None)


def too_few(classes):
    found = collections.Counter(family(class_) for class_ in set(classes))
    return ["%d kinds of %s were compared, there are %d and more" % (found[f], f, least) for f, least in FAMILIES.items() if found[f] < least]


class Kinds(list):
    """(name, object); what cannot be made is left out."""

    def add(self, name, make, *arguments, **named):
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.append((name, make(*arguments, **named)))


# ---------------------------------------------------------------------------------------------------------------------
# torch.nn


def modules():
    made = Kinds()

    def add(name, *arguments, **named):
        made.add(name, getattr(nn, name, None), *arguments, **named)

    for d in (1, 2, 3):
        for name in ("Conv%dd", "ConvTranspose%dd"):
            add(name % d, 2, 4, 3)
            add(name % d, 2, 4, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)
            add(name % d, 2, 4, 3, padding="same")
            add(name % d, 2, 4, 3, padding_mode="circular", padding=1)
            add(name % d, 2, 4, 3, stride=2, output_padding=1)
            add("Lazy" + name % d, 4, 3)
        for name in ("BatchNorm%dd", "InstanceNorm%dd"):
            add(name % d, 3)
            add(name % d, 3, eps=1e-3, momentum=None, affine=False, track_running_stats=False)
            add("Lazy" + name % d)
        for name in ("MaxPool%dd", "AvgPool%dd", "MaxUnpool%dd"):
            add(name % d, 2)
            add(name % d, 3, stride=1, padding=1)
        for name in ("AdaptiveMaxPool%dd", "AdaptiveAvgPool%dd"):
            add(name % d, 2)
            add(name % d, tuple([2] * d))
        add("LPPool%dd" % d, 2, 3)
        add("LPPool%dd" % d, 1.5, 3, stride=2, ceil_mode=True)
        for name in ("CircularPad%dd", "ReflectionPad%dd", "ReplicationPad%dd", "ZeroPad%dd"):
            add(name % d, 2)
        add("ConstantPad%dd" % d, 2, 3.5)
        add("Dropout%dd" % d, 0.3)
    for name in ("FractionalMaxPool2d", "FractionalMaxPool3d"):
        add(name, 2, output_ratio=0.5)
    add("Linear", 2, 3), add("Linear", 2, 3, bias=False), add("LazyLinear", 3), add("Bilinear", 2, 3, 4), add("Identity")
    add("Linear", 2, 3, dtype=torch.float64)
    for name in ("Sigmoid", "Tanh", "Softsign", "Tanhshrink", "LogSigmoid", "Softmax2d", "Hardswish", "Hardsigmoid", "SELU", "Mish", "ReLU",
                 "ReLU6", "SiLU", "LeakyReLU", "ELU", "CELU", "GELU", "GLU", "Softmax", "LogSoftmax", "Softmin", "Softplus", "Hardtanh",
                 "Hardshrink", "Softshrink", "RReLU", "PReLU", "Flatten", "CosineSimilarity", "PairwiseDistance", "Dropout", "AlphaDropout",
                 "FeatureAlphaDropout"):
        add(name), add(name, inplace=True)
    add("GELU", "tanh"), add("LeakyReLU", 0.2, True), add("Softmax", 1), add("PReLU", 3), add("Threshold", 0.1, 20), add("Threshold", 1, 2, True)
    add("Hardshrink", 1), add("Hardtanh", -2, 2), add("Flatten", 0, 2), add("Unflatten", 1, (2, 3)), add("Unflatten", "a", (("b", 2), ("c", 3)))
    add("LayerNorm", 3), add("LayerNorm", (2, 3), eps=0.1, elementwise_affine=False), add("LayerNorm", 3, bias=False)
    add("RMSNorm", 3), add("RMSNorm", (2, 3), eps=0.5, elementwise_affine=False), add("GroupNorm", 2, 4), add("GroupNorm", 2, 4, affine=False)
    add("LocalResponseNorm", 2), add("CrossMapLRN2d", 2), add("SyncBatchNorm", 3)
    add("Embedding", 4, 3), add("Embedding", 4, 3, padding_idx=1, max_norm=2, norm_type=1, scale_grad_by_freq=True, sparse=True)
    add("EmbeddingBag", 4, 3), add("EmbeddingBag", 4, 3, max_norm=2, norm_type=1, scale_grad_by_freq=True, mode="sum", padding_idx=0)
    for name in ("RNN", "LSTM", "GRU"):
        add(name, 2, 3), add(name, 2, 3, 2, bias=False, batch_first=True, dropout=0.5, bidirectional=True), add(name, 2, 3, proj_size=1)
        add(name + "Cell", 2, 3), add(name + "Cell", 2, 3, bias=False)
    add("RNNCell", 2, 3, nonlinearity="relu"), add("RNN", 2, 3, nonlinearity="relu")
    add("Upsample", scale_factor=2), add("Upsample", size=(2, 2), mode="bilinear"), add("UpsamplingNearest2d", scale_factor=2)
    add("UpsamplingBilinear2d", size=3), add("Upsample", scale_factor=(2.5, 2)), add("PixelShuffle", 2), add("PixelUnshuffle", 2), add("ChannelShuffle", 2)
    add("Fold", (4, 4), 2), add("Unfold", 2), add("Unfold", (2, 3), dilation=2, padding=1, stride=2)
    for name in ("L1Loss", "MSELoss", "NLLLoss", "NLLLoss2d", "CrossEntropyLoss", "KLDivLoss", "BCELoss", "BCEWithLogitsLoss", "SmoothL1Loss",
                 "HuberLoss", "SoftMarginLoss", "HingeEmbeddingLoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss",
                 "MultiMarginLoss", "CosineEmbeddingLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss", "CTCLoss", "PoissonNLLLoss",
                 "GaussianNLLLoss"):
        add(name)
    add("CrossEntropyLoss", weight=torch.ones(3)), add("LinearCrossEntropyLoss", 2, 3), add("AdaptiveLogSoftmaxWithLoss", 4, 9, [3, 5])
    add("MultiheadAttention", 4, 2), add("MultiheadAttention", 4, 2, kdim=3, vdim=2, add_bias_kv=True), add("Transformer", 4, 2, 2, 2, 8)
    layers = [nn.TransformerEncoderLayer(4, 2, 8), nn.TransformerDecoderLayer(4, 2, 8, activation="gelu", bias=False)]
    made += [(type(layer).__name__, layer) for layer in layers]
    add("TransformerEncoder", layers[0], 3, norm=nn.LayerNorm(4), enable_nested_tensor=False), add("TransformerDecoder", layers[1], 2)
    add("Sequential"), add("Sequential", nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Tanh())), add("ModuleList"), add("ModuleDict")
    add("Sequential", collections.OrderedDict(a=nn.Linear(2, 3), b=nn.Tanh()))
    add("ModuleList", [nn.ReLU(), nn.ReLU(), nn.Linear(2, 2), nn.ModuleList([nn.Tanh()] * 2), nn.ModuleList([nn.Tanh()] * 2)])
    add("ModuleDict", {"a": nn.ReLU(), "b": nn.ModuleDict({"c": nn.Linear(1, 1)})})
    add("ParameterList"), add("ParameterList", [torch.ones(2)]), add("ParameterList", [torch.ones(2, 3), nn.Parameter(torch.ones(())), 5, "x"])
    add("ParameterDict"), add("ParameterDict", {"x": torch.ones(2, 3)}), add("ParameterDict", {"x": torch.ones(1).double(), "n": None})
    add("DataParallel", nn.Linear(1, 2)), add("Module"), add("Container"), add("Buffer", torch.ones(2))
    return made


def changed_modules():
    """What utilities make of modules, and what loading makes of a class that is not of torch.nn."""
    made = Kinds()
    made.add("weight_norm", nn.utils.weight_norm, nn.Linear(2, 3))
    made.add("spectral_norm", nn.utils.spectral_norm, nn.Linear(2, 3))
    made.add("prune", torch.nn.utils.prune.random_unstructured, nn.Linear(2, 3), "weight", amount=1)
    made.add("AveragedModel", torch.optim.swa_utils.AveragedModel, nn.Linear(2, 3))
    made.add("no child", lambda: nn.ModuleList([nn.ReLU(), None, nn.ReLU()]))
    made.add("equal children", lambda: nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.ReLU()) for _ in range(4)]))
    made.add("UninitializedParameter", nn.UninitializedParameter)
    made.add("UninitializedBuffer", nn.UninitializedBuffer)
    made.add("in a list", lambda: [nn.Linear(2, 3), {"a": nn.Sequential(nn.ReLU())}, nn.UninitializedParameter()])
    return made


# ---------------------------------------------------------------------------------------------------------------------
# torch.ao: quantized modules, those of quantization aware training, and what watches them


def fused_modules():
    made, fused, trained, qat = Kinds(), torch.ao.nn.intrinsic, torch.ao.nn.intrinsic.qat, torch.ao.nn.qat
    config = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    embedding = torch.ao.quantization.default_embedding_qat_qconfig
    linear, relu = nn.Linear(2, 3), nn.ReLU()
    for d in (1, 2, 3):
        convolution, norm = getattr(nn, "Conv%dd" % d)(2, 3, 3), getattr(nn, "BatchNorm%dd" % d)(3)
        for name, parts in (("ConvBn%dd", (convolution, norm)), ("ConvBnReLU%dd", (convolution, norm, relu)), ("ConvReLU%dd", (convolution, relu))):
            made.add(name % d, getattr(fused, name % d), *parts)
            made.add("trained " + name % d, getattr(trained, name % d), 2, 3, 3, qconfig=config)
        made.add("Conv%dd" % d, getattr(qat, "Conv%dd" % d), 2, 3, 3, padding=1, qconfig=config)
        made.add("BNReLU%dd" % d, getattr(fused, "BNReLU%dd" % d, None), norm, relu)
    made.add("ConvAdd2d", fused.ConvAdd2d, nn.Conv2d(2, 3, 3), torch.add)
    made.add("ConvAddReLU2d", fused.ConvAddReLU2d, nn.Conv2d(2, 3, 3), torch.add, relu)
    made.add("LinearBn1d", fused.LinearBn1d, linear, nn.BatchNorm1d(3))
    made.add("LinearReLU", fused.LinearReLU, linear, relu)
    made.add("LinearLeakyReLU", fused.LinearLeakyReLU, linear, nn.LeakyReLU())
    made.add("LinearTanh", fused.LinearTanh, linear, nn.Tanh())
    made.add("trained LinearBn1d", trained.LinearBn1d, 2, 3, qconfig=config)
    made.add("trained LinearReLU", trained.LinearReLU, 2, 3, qconfig=config)
    made.add("trained Linear", qat.Linear, 2, 3, qconfig=config)
    made.add("trained Embedding", qat.Embedding, 4, 3, qconfig=embedding)
    made.add("trained EmbeddingBag", qat.EmbeddingBag, 4, 3, qconfig=embedding)
    made.add("trained dynamic Linear", qat.dynamic.Linear, 2, 3, qconfig=torch.ao.quantization.default_dynamic_qat_qconfig)
    return made


def quantized_modules():
    made, quantized, reference = Kinds(), torch.ao.nn.quantized, torch.ao.nn.quantized.reference
    weights = {"qscheme": torch.per_tensor_affine, "dtype": torch.quint8, "scale": 1.0, "zero_point": 0}
    ones = nn.Parameter(torch.ones(2))
    for name, arguments in (("DeQuantize", ()), ("ELU", (1.0, 0)), ("Hardswish", (1.0, 0)), ("LeakyReLU", (1.0, 0)), ("ReLU6", ()),
                            ("Sigmoid", (1.0, 0)), ("Softmax", (1, 1.0, 0)), ("Dropout", ()), ("PReLU", (1.0, 0)), ("Embedding", (4, 3)),
                            ("EmbeddingBag", (4, 3)), ("FloatFunctional", ()), ("FXFloatFunctional", ()), ("QFunctional", ()),
                            ("GroupNorm", (1, 2, ones, ones, 1.0, 0)), ("InstanceNorm1d", (2, ones, ones, 1.0, 0)),
                            ("InstanceNorm2d", (2, ones, ones, 1.0, 0)), ("InstanceNorm3d", (2, ones, ones, 1.0, 0)),
                            ("LayerNorm", ((2,), ones, ones, 1.0, 0)), ("BatchNorm2d", (3,)), ("BatchNorm3d", (3,)), ("Linear", (2, 3)),
                            ("Quantize", (0.1, 3, torch.quint8))):
        made.add("quantized " + name, getattr(quantized, name), *arguments)
    made.add("quantized EmbeddingBag of 4 bits", quantized.EmbeddingBag, 4, 3, dtype=torch.quint4x2)
    for name in ("GRU", "GRUCell", "LSTM", "LSTMCell", "RNNCell", "Linear"):
        made.add("dynamic " + name, getattr(quantized.dynamic, name), 2, 3)
        made.add("reference " + name, getattr(reference, name), 2, 3)
    made.add("reference Embedding", reference.Embedding, 4, 3)
    made.add("reference EmbeddingBag", reference.EmbeddingBag, 4, 3)
    for name in ("Conv%dd", "ConvTranspose%dd"):
        for d in (1, 2, 3):
            made.add("reference " + name % d, getattr(reference, name % d), 2, 4, 3, stride=2, bias=False, weight_qparams=weights)
    intrinsic = torch.ao.nn.intrinsic.quantized
    made.add("BNReLU2d", intrinsic.BNReLU2d, 3), made.add("BNReLU3d", intrinsic.BNReLU3d, 3)
    made.add("quantized LinearReLU", intrinsic.LinearReLU, 2, 3)
    made.add("quantized LinearLeakyReLU", intrinsic.LinearLeakyReLU, 2, 3, 0.1)
    made.add("quantized LinearTanh", intrinsic.LinearTanh, 2, 3)
    made.add("dynamic LinearReLU", intrinsic.dynamic.LinearReLU, 2, 3)
    quantizable = torch.ao.nn.quantizable
    made.add("MultiheadAttention", quantizable.MultiheadAttention, 4, 2), made.add("LSTM", quantizable.LSTM, 2, 3)
    made.add("LSTMCell", quantizable.LSTMCell, 2, 3)
    model = nn.Sequential(nn.Linear(2, 3), nn.LSTM(2, 3), nn.GRUCell(2, 3))
    made.add("dynamic", torch.ao.quantization.quantize_dynamic, model, {nn.Linear, nn.LSTM, nn.GRUCell}, dtype=torch.qint8)
    return made


def observers():
    made, q = Kinds(), torch.ao.quantization
    for name in ("FakeQuantize", "FusedMovingAvgObsFakeQuantize", "HistogramObserver", "MinMaxObserver", "MovingAverageMinMaxObserver",
                 "MovingAveragePerChannelMinMaxObserver", "PerChannelMinMaxObserver", "RecordingObserver", "ReuseInputObserver",
                 "NoopObserver", "PlaceholderObserver", "QuantStub", "DeQuantStub"):
        made.add(name, getattr(q, name))
    made.add("FixedQParamsObserver", q.FixedQParamsObserver, 0.1, 3)
    made.add("FixedQParamsFakeQuantize", lambda: q.default_fixed_qparams_range_0to1_fake_quant())
    made.add("QuantWrapper", q.QuantWrapper, nn.Linear(2, 3))

    def watching(make):
        observer = make()
        observer(torch.tensor([[1.5, -2.0, 1e-6]]))
        return observer

    for name in ("MinMaxObserver", "PerChannelMinMaxObserver", "FakeQuantize"):
        made.add("watching " + name, watching, getattr(q, name))
    return made


# ---------------------------------------------------------------------------------------------------------------------
# torch.optim


def parameters():
    return [nn.Parameter(torch.ones(2, 2))]


def optimizers():
    made = Kinds()
    for name in sorted(dir(torch.optim)):
        class_ = getattr(torch.optim, name)
        if isinstance(class_, type) and issubclass(class_, torch.optim.Optimizer) and class_ is not torch.optim.Optimizer:
            made.add(name, class_, parameters(), lr=0.1)
            made.add(name, class_, [{"params": parameters(), "lr": 0.5}, {"params": parameters()}], lr=0.1)
    made.add("Adam", torch.optim.Adam, parameters(), lr=torch.tensor(0.1))
    made.add("Adam", torch.optim.Adam, [{"params": parameters(), "name": "a", "betas": (0.1, 0.2)}], lr=1e-5)
    return made


def schedulers():
    made, s = Kinds(), torch.optim.lr_scheduler

    def sgd():
        return torch.optim.SGD(parameters(), lr=0.1, momentum=0.9)

    for name, arguments in (("StepLR", (2,)), ("MultiStepLR", ([1, 2],)), ("ConstantLR", ()), ("LinearLR", ()), ("ExponentialLR", (0.9,)),
                            ("PolynomialLR", ()), ("CosineAnnealingLR", (5,)), ("CosineAnnealingWarmRestarts", (5,)), ("CyclicLR", (0.1, 0.2)),
                            ("OneCycleLR", (0.1, 10)), ("ReduceLROnPlateau", ()), ("LRScheduler", ())):
        made.add(name, lambda: getattr(s, name)(sgd(), *arguments))
    made.add("LambdaLR", lambda: s.LambdaLR(sgd(), abs))
    made.add("MultiplicativeLR", lambda: s.MultiplicativeLR(sgd(), abs))
    made.add("SWALR", lambda: torch.optim.swa_utils.SWALR(sgd(), 0.1))

    def several(make):
        optimizer = sgd()
        return make(optimizer, [s.StepLR(optimizer, 2), s.ConstantLR(optimizer)])

    made.add("ChainedScheduler", several, lambda optimizer, all_: s.ChainedScheduler(all_))
    made.add("SequentialLR", several, lambda optimizer, all_: s.SequentialLR(optimizer, all_, [3]))
    return made


# ---------------------------------------------------------------------------------------------------------------------
# torch.distributions


def distributions():
    made, d = Kinds(), torch.distributions
    one, half, three = torch.tensor(1.0), torch.tensor(0.5), torch.ones(3)
    for name, arguments in (
            ("Bernoulli", (half,)), ("Beta", (one, one)), ("Binomial", (3, half)), ("Categorical", (three,)), ("Cauchy", (one, one)),
            ("Chi2", (one,)), ("ContinuousBernoulli", (half,)), ("Dirichlet", (three,)), ("Exponential", (three,)),
            ("FisherSnedecor", (one, one)), ("Gamma", (one, one)), ("GeneralizedPareto", (one, one, one)), ("Geometric", (half,)),
            ("Gumbel", (one, one)), ("HalfCauchy", (one,)), ("HalfNormal", (one,)), ("InverseGamma", (one, one)),
            ("Kumaraswamy", (one, one)), ("LKJCholesky", (2, 1.0)), ("Laplace", (one, one)), ("LogNormal", (one, one)),
            ("LogisticNormal", (three, three)), ("LowRankMultivariateNormal", (three, torch.ones(3, 1), three)),
            ("Multinomial", (3, three)), ("MultivariateNormal", (three, torch.eye(3))), ("NegativeBinomial", (3, half)),
            ("Normal", (0.0, 1.0)), ("Normal", (three, three)), ("Normal", (torch.ones(1), torch.ones(1))), ("OneHotCategorical", (three,)),
            ("OneHotCategoricalStraightThrough", (three,)), ("Pareto", (one, one)), ("Poisson", (one,)), ("RelaxedBernoulli", (one, half)),
            ("RelaxedOneHotCategorical", (one, three)), ("StudentT", (one,)), ("Uniform", (0 * one, one)), ("VonMises", (one, one)),
            ("Weibull", (one, one)), ("Wishart", (4 * one, torch.eye(3)))):
        made.add(name, getattr(d, name), *arguments)
    normal = d.Normal(three, three.double())
    made.add("Categorical", d.Categorical, logits=three), made.add("Independent", d.Independent, normal, 1)
    made.add("MixtureSameFamily", d.MixtureSameFamily, d.Categorical(three), normal)
    made.add("TransformedDistribution", d.TransformedDistribution, normal, [d.ExpTransform()])
    return made + transforms() + constraints()


def transforms():
    made, t = Kinds(), torch.distributions.transforms
    for name, arguments in (("AbsTransform", ()), ("AffineTransform", (1.0, 2.0)), ("CatTransform", ([t.ExpTransform()],)),
                            ("ComposeTransform", ([t.ExpTransform(), t.AbsTransform()],)), ("ComposeTransform", ([],)),
                            ("CorrCholeskyTransform", ()), ("CumulativeDistributionTransform", (torch.distributions.Normal(0.0, 1.0),)),
                            ("ExpTransform", ()), ("IndependentTransform", (t.ExpTransform(), 1)), ("LowerCholeskyTransform", ()),
                            ("PositiveDefiniteTransform", ()), ("PowerTransform", (2.0,)), ("ReshapeTransform", ((2,), (2, 1))),
                            ("SigmoidTransform", ()), ("SoftmaxTransform", ()), ("SoftplusTransform", ()), ("StackTransform", ([t.ExpTransform()],)),
                            ("StickBreakingTransform", ()), ("TanhTransform", ())):
        made.add(name, getattr(t, name, None), *arguments)
    made.add("inverse", lambda: t.ExpTransform().inv)
    return made


def constraints():
    made, c = Kinds(), torch.distributions.constraints
    for name in ("boolean", "one_hot", "nonnegative_integer", "positive_integer", "real", "real_vector", "positive", "nonnegative",
                 "unit_interval", "simplex", "lower_triangular", "lower_cholesky", "corr_cholesky", "square", "symmetric",
                 "positive_semidefinite", "positive_definite"):
        made.add(name, getattr, c, name)
    for name, arguments in (("interval", (0, 1)), ("half_open_interval", (0.0, 1.0)), ("greater_than", (2,)), ("greater_than_eq", (2,)),
                            ("less_than", (2,)), ("integer_interval", (0, 3)), ("independent", (c.real, 1)), ("multinomial", (3,)),
                            ("cat", ([c.real],)), ("stack", ([c.real],))):
        made.add(name, getattr(c, name), *arguments)
    return made


def everything():
    return modules() + changed_modules() + fused_modules() + quantized_modules() + observers() + optimizers() + schedulers() + distributions()
