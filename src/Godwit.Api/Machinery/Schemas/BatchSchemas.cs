using static Godwit.Api.Machinery.Schema;
using static Godwit.Api.Machinery.Schemas.SchemaTable;

namespace Godwit.Api.Machinery.Schemas;

/// <summary>Shapes of jobs. Numbers: Kubernetes' <c>api/batch/v1/generated.proto</c>.</summary>
internal static class BatchSchemas
{
    private const string Prefix = "io.k8s.api.batch.v1.";

    public static ObjectSchema JobCondition { get; } = new(
        Prefix + "JobCondition",
        "One observed fact about a job.",
        Field(1, "type", Text, "What is observed.").Required(),
        Field(2, "status", OneOf("True", "False", "Unknown"), "Whether it is so.").Required(),
        Field(3, "lastProbeTime", Time, "When it was last looked at."),
        Field(4, "lastTransitionTime", Time, "When the status last changed."),
        Field(5, "reason", Text, "Why, as one word in CamelCase."),
        Field(6, "message", Text, "Why, in words."));

    public static ObjectSchema UncountedTerminatedPods { get; } = new(
        Prefix + "UncountedTerminatedPods",
        "Pods that have ended and are not counted yet.",
        Field(1, "succeeded", ListOf(Text), "The uids of those that did it."),
        Field(2, "failed", ListOf(Text), "The uids of those that did not."));

    public static ObjectSchema PodFailurePolicyOnExitCodesRequirement { get; } = new(
        Prefix + "PodFailurePolicyOnExitCodesRequirement",
        "Exit codes that a rule is about.",
        Field(1, "containerName", Text, "The container; any when not said."),
        Field(2, "operator", OneOf("In", "NotIn"), "Whether the code is one of the values.").Required(),
        Field(3, "values", ListOf(Integer32), "The codes.").Required());

    public static ObjectSchema PodFailurePolicyOnPodConditionsPattern { get; } = new(
        Prefix + "PodFailurePolicyOnPodConditionsPattern",
        "A condition of the pod that a rule is about.",
        Field(1, "type", Text, "The condition.").Required(),
        Field(2, "status", Text, "Its status; True when not said."));

    public static ObjectSchema PodFailurePolicyRule { get; } = new(
        Prefix + "PodFailurePolicyRule",
        "What a failed pod means.",
        Field(1, "action", OneOf("FailJob", "FailIndex", "Ignore", "Count"), "What is done.").Required(),
        Field(2, "onExitCodes", PodFailurePolicyOnExitCodesRequirement, "By exit codes."),
        Field(3, "onPodConditions", ListOf(PodFailurePolicyOnPodConditionsPattern), "By conditions of the pod."));

    public static ObjectSchema PodFailurePolicy { get; } = new(
        Prefix + "PodFailurePolicy",
        "What failed pods mean; the first rule that fits counts.",
        Field(1, "rules", ListOf(PodFailurePolicyRule), "The rules.").Required());

    public static ObjectSchema SuccessPolicyRule { get; } = new(
        Prefix + "SuccessPolicyRule",
        "When enough has succeeded.",
        Field(1, "succeededIndexes", Text, "Indexes that must have succeeded, such as 0,2-4."),
        Field(2, "succeededCount", Integer32, "How many of them."));

    public static ObjectSchema SuccessPolicy { get; } = new(
        Prefix + "SuccessPolicy",
        "When an indexed job has succeeded; any rule is enough.",
        Field(1, "rules", ListOf(SuccessPolicyRule), "The rules.").Required());

    public static ObjectSchema JobSpec { get; } = new(
        Prefix + "JobSpec",
        "What is to be done, how often and how.",
        Field(1, "parallelism", Integer32, "How many pods at once; 1 when not said.").ZeroIsAValue(),
        Field(2, "completions", Integer32, "How many must succeed; one is enough when not said.").ZeroIsAValue(),
        Field(3, "activeDeadlineSeconds", Integer64, "After how long it counts as failed."),
        Field(11, "podFailurePolicy", PodFailurePolicy, "What failed pods mean."),
        Field(16, "successPolicy", SuccessPolicy, "When it has succeeded."),
        Field(7, "backoffLimit", Integer32, "How many failures are borne; 6 when not said.").ZeroIsAValue(),
        Field(12, "backoffLimitPerIndex", Integer32, "How many failures of one index are borne.").ZeroIsAValue(),
        Field(13, "maxFailedIndexes", Integer32, "How many indexes may fail.").ZeroIsAValue(),
        Field(4, "selector", SelectorSchemas.LabelSelector, "Labels of its pods; set by the server."),
        Field(5, "manualSelector", Flag, "True: the selector is the user's."),
        Field(6, "template", PodSchemas.PodTemplateSpec, "What its pods are made from.").Required(),
        Field(8, "ttlSecondsAfterFinished", Integer32, "Seconds after which it goes when it has ended.").ZeroIsAValue(),
        Field(9, "completionMode", OneOf("NonIndexed", "Indexed"), "Indexed: each pod has a number of its own."),
        Field(10, "suspend", Flag, "True: no pods run."),
        Field(14, "podReplacementPolicy", OneOf("TerminatingOrFailed", "Failed"), "When a pod is replaced."),
        Field(15, "managedBy", Text, "Who acts on it, when another does."));

    public static ObjectSchema JobStatus { get; } = new(
        Prefix + "JobStatus",
        "What of a job is done.",
        Field(1, "conditions", ListByKey(JobCondition, "type"), "Observed facts.").Merged("type"),
        Field(2, "startTime", Time, "When it began."),
        Field(3, "completionTime", Time, "When it succeeded."),
        Field(4, "active", Integer32, "Pods that run or will."),
        Field(5, "succeeded", Integer32, "Pods that did it."),
        Field(6, "failed", Integer32, "Pods that did not."),
        Field(11, "terminating", Integer32, "Pods that end."),
        Field(7, "completedIndexes", Text, "Indexes that are done, such as 0,2-4."),
        Field(10, "failedIndexes", Text, "Indexes that failed."),
        Field(8, "uncountedTerminatedPods", UncountedTerminatedPods, "Pods that have ended and are not counted yet."),
        Field(9, "ready", Integer32, "Pods that are ready."));

    public static ObjectSchema Job { get; } = Kind(
        Prefix + "Job",
        "Work that comes to an end.",
        Field(2, "spec", JobSpec, "What is to be done."),
        Field(3, "status", JobStatus, "What of it is done."));

    public static ObjectSchema JobTemplateSpec { get; } = new(
        Prefix + "JobTemplateSpec",
        "What jobs are made from.",
        Field(1, "metadata", MetaSchemas.ObjectMeta, "Labels and annotations of the jobs."),
        Field(2, "spec", JobSpec, "What is to be done."));

    public static ObjectSchema CronJobSpec { get; } = new(
        Prefix + "CronJobSpec",
        "What is to be done, and when.",
        Field(1, "schedule", Text, "When: minute, hour, day of the month, month, day of the week.").Required(),
        Field(8, "timeZone", Text, "The time zone's name; UTC when not said."),
        Field(2, "startingDeadlineSeconds", Integer64, "How late it may begin.").ZeroIsAValue(),
        Field(3, "concurrencyPolicy", OneOf("Allow", "Forbid", "Replace"), "What is done when the one before still runs; Allow when not said."),
        Field(4, "suspend", Flag, "True: nothing is begun."),
        Field(5, "jobTemplate", JobTemplateSpec, "What jobs are made from.").Required(),
        Field(6, "successfulJobsHistoryLimit", Integer32, "How many that succeeded are kept; 3 when not said.").ZeroIsAValue(),
        Field(7, "failedJobsHistoryLimit", Integer32, "How many that failed are kept; 1 when not said.").ZeroIsAValue());

    public static ObjectSchema CronJobStatus { get; } = new(
        Prefix + "CronJobStatus",
        "What has been begun.",
        Field(1, "active", ListOf(CoreSchemas.ObjectReference), "Jobs that run."),
        Field(4, "lastScheduleTime", Time, "When one was last begun."),
        Field(5, "lastSuccessfulTime", Time, "When one last succeeded."));

    public static ObjectSchema CronJob { get; } = Kind(
        Prefix + "CronJob",
        "Work that is begun again and again, at set times.",
        Field(2, "spec", CronJobSpec, "What is to be done, and when."),
        Field(3, "status", CronJobStatus, "What has been begun."));
}
