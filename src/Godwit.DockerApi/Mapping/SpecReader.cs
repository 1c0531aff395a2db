using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.DockerApi.Wire;
using Godwit.Images;
using Godwit.Oci;

namespace Godwit.DockerApi.Mapping;

/// <summary>What a client asks a container to be, with the image's defaults applied, in the engine's words. Pure; refuses by name what it cannot say.</summary>
internal sealed class SpecReader(StoredImage image, Func<string, ContainerSnapshot> find, bool hasUserNamespaces)
{
    private static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <exception cref="DockerException">It makes no sense, or asks for what is not there.</exception>
    public ContainerSpec Read(CreateContainerBody body)
    {
        var host = body.HostConfig ?? new HostConfig();
        var defaults = image.Config.Config ?? new ImageDefaults();
        RefuseUnsupported(host);
        var own = new ContainerSpec
        {
            Image = body.Image!,
            ImageId = image.Id.ToString(),
            Process = ReadProcess(body, host),
            HostName = string.IsNullOrEmpty(body.Hostname) ? null : body.Hostname,
            DomainName = body.Domainname ?? "",
            Labels = body.Labels ?? Nothing,
            Annotations = host.Annotations ?? Nothing,
            Restart = ReadRestart(host.RestartPolicy),
            AutoRemove = host.AutoRemove,
            Resources = ResourceReader.Read(host),
            Isolation = IsolationReader.Read(host, hasUserNamespaces),
            Mounts = new MountReader(find).Read(body, host),
            Network = NetworkReader.Read(body, host),
            Log = ReadLog(host.LogConfig),
            StorageSizeBytes = ReadStorage(host.StorageOpt),
        };
        // What is said stands before the image's, also where it says what would be so without both.
        var said = defaults with
        {
            Healthcheck = MergeCheck(body.Healthcheck, defaults.Healthcheck),
            StopSignal = string.IsNullOrEmpty(body.StopSignal) ? defaults.StopSignal : body.StopSignal,
            StopTimeout = body.StopTimeout ?? defaults.StopTimeout,
        };
        return SpecDefaults.Apply(own, said, clearsEntrypoint: body.Entrypoint is [""]);
    }

    /// <exception cref="DockerException">There is no such policy.</exception>
    public static RestartPolicy ReadRestart(RestartPolicyBody? body)
    {
        var mode = body?.Name switch
        {
            null or "" or "no" => RestartMode.Never,
            "always" => RestartMode.Always,
            "unless-stopped" => RestartMode.UnlessStopped,
            "on-failure" => RestartMode.OnFailure,
            var unknown => throw DockerException.Invalid($"invalid restart policy: unknown policy '{unknown}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"),
        };
        var retries = body?.MaximumRetryCount ?? 0;
        if (retries < 0 || (retries > 0 && mode is not RestartMode.OnFailure))
        {
            throw DockerException.Invalid("invalid restart policy: maximum retry count can only be used with 'on-failure', and cannot be negative");
        }

        return mode is RestartMode.Never ? RestartPolicy.Never : new RestartPolicy(mode, retries);
    }

    private static ProcessSpec ReadProcess(CreateContainerBody body, HostConfig host) => new()
    {
        Entrypoint = body.Entrypoint is null or [""] ? [] : body.Entrypoint,
        Command = body.Cmd ?? [],
        // The CLI sends a bare name for a variable that shall not be there.
        Environment = [.. (body.Env ?? []).Where(variable => variable.Contains('=', StringComparison.Ordinal))],
        WorkingDirectory = string.IsNullOrEmpty(body.WorkingDir) ? "/" : body.WorkingDir,
        User = body.User ?? "",
        SupplementaryGroups = host.GroupAdd ?? [],
        Terminal = body.Tty,
        TerminalSize = ReadSize(host.ConsoleSize),
        OpenStandardInput = body.OpenStdin,
        StandardInputOnce = body.StdinOnce,
    };

    /// <summary>Rows and columns; null where they are not both there.</summary>
    public static TerminalSize? ReadSize(IReadOnlyList<int>? size) =>
        size is [> 0 and <= ushort.MaxValue, > 0 and <= ushort.MaxValue] ? new TerminalSize((ushort)size[0], (ushort)size[1]) : null;

    /// <summary>The client's check, and of the image's what the client leaves open.</summary>
    private static HealthCheck? MergeCheck(HealthCheck? asked, HealthCheck? below)
    {
        const long shortestNanoseconds = 1_000_000;
        if (new[] { asked?.IntervalNanoseconds, asked?.TimeoutNanoseconds, asked?.StartPeriodNanoseconds, asked?.StartIntervalNanoseconds }.Any(time => time is < shortestNanoseconds and not 0))
        {
            throw DockerException.Invalid("a time in Healthcheck cannot be less than 1ms");
        }

        return asked is null ? below : new HealthCheck
        {
            Test = asked.Test is { Count: > 0 } ? asked.Test : below?.Test,
            IntervalNanoseconds = asked.IntervalNanoseconds is > 0 ? asked.IntervalNanoseconds : below?.IntervalNanoseconds,
            TimeoutNanoseconds = asked.TimeoutNanoseconds is > 0 ? asked.TimeoutNanoseconds : below?.TimeoutNanoseconds,
            StartPeriodNanoseconds = asked.StartPeriodNanoseconds is > 0 ? asked.StartPeriodNanoseconds : below?.StartPeriodNanoseconds,
            StartIntervalNanoseconds = asked.StartIntervalNanoseconds is > 0 ? asked.StartIntervalNanoseconds : below?.StartIntervalNanoseconds,
            Retries = asked.Retries is > 0 ? asked.Retries : below?.Retries,
        };
    }

    private static LogSpec ReadLog(LogConfig? body)
    {
        var driver = string.IsNullOrEmpty(body?.Type) ? "json-file" : body.Type;
        if (driver is not ("json-file" or "local" or "none"))
        {
            throw DockerException.Invalid($"logger: no log driver named '{driver}' is registered: godwit has json-file, local and none");
        }

        var options = body?.Config ?? Nothing;
        var spec = new LogSpec { Driver = driver, Options = options, Kept = driver is not "none" };
        if (options.TryGetValue("max-size", out var size) && size != "-1")
        {
            spec = spec with { SizeBytesMax = Sizes.Parse("max-size", size) };
        }

        if (options.TryGetValue("max-file", out var files))
        {
            spec = spec with { FilesMax = int.TryParse(files, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var count) && count is > 0 and <= 1000 ? count : throw DockerException.Invalid($"max-file takes 1 to 1000, not '{files}'") };
        }

        return spec;
    }

    private static long? ReadStorage(IReadOnlyDictionary<string, string>? options)
    {
        if (options?.Keys.FirstOrDefault(name => name != "size") is { } unknown)
        {
            throw DockerException.Invalid($"Unknown option {unknown}");
        }

        return options is not null && options.TryGetValue("size", out var size) ? Sizes.Parse("size", size) : null;
    }

    private static void RefuseUnsupported(HostConfig host)
    {
        Refuse(host.Links is { Count: > 0 }, "--link: put the containers in one network, where they have names, that");
        Refuse(host.DeviceRequests is { Count: > 0 }, "--gpus");
        Refuse(host.Runtime is not (null or "" or "crun" or "runc" or "io.containerd.runc.v2"), $"the runtime {host.Runtime}");
        Refuse(host.Isolation is not (null or "" or "default"), $"the isolation {host.Isolation}");
        Refuse(host.CpuRealtimePeriod != 0 || host.CpuRealtimeRuntime != 0, "--cpu-rt-period and --cpu-rt-runtime");
        Refuse(host.OomKillDisable is true, "--oom-kill-disable");
        Refuse(host.BlkioWeightDevice is { Count: > 0 }, "--blkio-weight-device");
        Refuse(host.VolumeDriver is not (null or "" or "local"), $"the volume driver {host.VolumeDriver}");
    }

    private static void Refuse(bool asked, string what)
    {
        if (asked)
        {
            throw DockerException.Invalid($"{what} is not supported by godwit");
        }
    }
}
