using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;

namespace Godwit.Api.Batch.V1;

/// <summary>What jobs are made from.</summary>
public sealed record JobTemplate
{
    public ObjectMeta? Metadata { get; init; }

    public JobSpec Spec { get; init => field = value ?? new(); } = new();
}

/// <summary>What is to be done, and when.</summary>
public sealed record CronJobSpec
{
    public string Schedule { get; init => field = value ?? ""; } = "";

    public string? TimeZone { get; init; }

    public long? StartingDeadlineSeconds { get; init; }

    public string? ConcurrencyPolicy { get; init; }

    public bool? Suspend { get; init; }

    public JobTemplate JobTemplate { get; init => field = value ?? new(); } = new();

    public int? SuccessfulJobsHistoryLimit { get; init; }

    public int? FailedJobsHistoryLimit { get; init; }
}

/// <summary>What has been begun.</summary>
public sealed record CronJobStatus
{
    public IReadOnlyList<ObjectReference> Active { get; init => field = value ?? []; } = [];

    public DateTimeOffset? LastScheduleTime { get; init; }

    public DateTimeOffset? LastSuccessfulTime { get; init; }
}

/// <summary>Work that is begun again and again, at set times.</summary>
public sealed record CronJob() : Resource(Type), IResource<CronJob>
{
    public static ResourceType Type { get; } = new("batch", "v1", "CronJob", "cronjobs", Namespaced: true);

    public CronJobSpec Spec { get; init => field = value ?? new(); } = new();

    public CronJobStatus Status { get; init => field = value ?? new(); } = new();
}
