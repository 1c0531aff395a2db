namespace Godwit.Controllers.Workloads.Jobs;

/// <summary>Names and values of a job's objects, Kubernetes' own.</summary>
internal static class JobNames
{
    /// <summary>On a pod: its end is not counted yet.</summary>
    public const string TrackingFinalizer = "batch.kubernetes.io/job-tracking";

    /// <summary>As a label and as an annotation of a pod: which of the job's indexes it is to do.</summary>
    public const string Index = "batch.kubernetes.io/job-completion-index";

    public const string JobNameLabel = "batch.kubernetes.io/job-name";
    public const string IndexVariable = "JOB_COMPLETION_INDEX";

    public const string Indexed = "Indexed";
    public const string ReplaceFailed = "Failed";
    public const string ManagedHere = "kubernetes.io/job-controller";

    public const string Complete = "Complete";
    public const string Failed = "Failed";
    public const string Suspended = "Suspended";

    /// <summary>The job is to fail once its pods have ended.</summary>
    public const string FailureTarget = "FailureTarget";

    /// <summary>The job is to be complete once its pods have ended.</summary>
    public const string SuccessCriteriaMet = "SuccessCriteriaMet";
}
