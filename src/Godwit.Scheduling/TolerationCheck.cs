namespace Godwit.Scheduling;

/// <summary>Whether tolerations let onto a tainted node. Source: Kubernetes documentation, "Taints and Tolerations".</summary>
public static class TolerationCheck
{
    public static bool Tolerates(IReadOnlyList<Toleration> tolerations, Taint taint) => tolerations.Any(toleration => Tolerates(toleration, taint));

    public static bool Tolerates(Toleration toleration, Taint taint) =>
        (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
        && (string.IsNullOrEmpty(toleration.Key)
            ? toleration.Operator == "Exists"
            : toleration.Key == taint.Key && (toleration.Operator == "Exists" || (toleration.Value ?? "") == (taint.Value ?? "")));
}
