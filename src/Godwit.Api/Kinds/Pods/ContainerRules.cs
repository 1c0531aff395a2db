using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.Api.Meta.V1;
using Godwit.Base;

namespace Godwit.Api.Kinds.Pods;

/// <summary>What part a container plays in its pod; it decides what the container may have.</summary>
internal enum ContainerRole
{
    Main,
    Init,
    Ephemeral,
}

/// <summary>What a container must hold beyond its schema.</summary>
internal static class ContainerRules
{
    private const int ImageLengthMax = 4096;
    private const int PortNameLengthMax = 15;
    private const int PortMax = 65535;

    private static readonly string[] FieldPaths =
    [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    ];

    /// <summary>The part of an ephemeral container that it shares with the others.</summary>
    public static Container AsContainer(EphemeralContainer container) => new()
    {
        Name = container.Name,
        Image = container.Image,
        Env = container.Env,
        EnvFrom = container.EnvFrom,
        VolumeMounts = container.VolumeMounts,
        SecurityContext = container.SecurityContext,
    };

    public static IEnumerable<FieldError> Validate(Container container, string path, ContainerRole role, HashSet<string> volumes)
    {
        if (Names.CheckDnsLabel(container.Name) is { } wrong)
        {
            yield return FieldError.Invalid($"{path}.name", container.Name, wrong);
        }

        if (string.IsNullOrEmpty(container.Image))
        {
            yield return FieldError.Required($"{path}.image", "the image to run");
        }
        else if (container.Image.Length > ImageLengthMax || container.Image != container.Image.Trim())
        {
            yield return FieldError.Invalid($"{path}.image", container.Image, "must not have leading or trailing whitespace, and a sensible length");
        }

        if (role == ContainerRole.Main && container.RestartPolicy is { Length: > 0 })
        {
            yield return FieldError.Forbidden($"{path}.restartPolicy", "may not be set for non-init containers");
        }

        if (role == ContainerRole.Init && container.RestartPolicy != "Always" && (container.LivenessProbe ?? container.ReadinessProbe ?? container.StartupProbe) is not null)
        {
            yield return FieldError.Forbidden($"{path}.readinessProbe", "an init container has probes only when its restartPolicy is Always");
        }

        foreach (var error in ValidatePorts(container, path).Concat(ValidateEnvironment(container, path)).Concat(ValidateMounts(container, path, volumes))
            .Concat(ValidateResources(container.Resources, $"{path}.resources")).Concat(ValidateContext(container.SecurityContext, $"{path}.securityContext"))
            .Concat(ValidateProbe(container.LivenessProbe, $"{path}.livenessProbe", isReadiness: false))
            .Concat(ValidateProbe(container.ReadinessProbe, $"{path}.readinessProbe", isReadiness: true))
            .Concat(ValidateProbe(container.StartupProbe, $"{path}.startupProbe", isReadiness: false))
            .Concat(ValidateHook(container.Lifecycle?.PostStart, $"{path}.lifecycle.postStart"))
            .Concat(ValidateHook(container.Lifecycle?.PreStop, $"{path}.lifecycle.preStop")))
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> ValidatePorts(Container container, string path)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var index = 0; index < container.Ports.Count; index++)
        {
            var (port, where) = (container.Ports[index], $"{path}.ports[{index}]");
            if (CheckPort(port.Number) is { } wrong)
            {
                yield return FieldError.Invalid($"{where}.containerPort", port.Number, wrong);
            }

            if (port.HostPort is { } host and not 0 && CheckPort(host) is { } wrongHost)
            {
                yield return FieldError.Invalid($"{where}.hostPort", host, wrongHost);
            }

            if (port.Name is not { Length: > 0 } name)
            {
                continue;
            }

            if (CheckPortName(name) is { } wrongName)
            {
                yield return FieldError.Invalid($"{where}.name", name, wrongName);
            }
            else if (!names.Add(name))
            {
                yield return FieldError.Duplicate($"{where}.name", name);
            }
        }
    }

    private static IEnumerable<FieldError> ValidateEnvironment(Container container, string path)
    {
        for (var index = 0; index < container.Env.Count; index++)
        {
            var (variable, where) = (container.Env[index], $"{path}.env[{index}]");
            if (variable.Name.Length == 0 || variable.Name.Any(letter => letter is '=' or '\0' || letter is < ' ' or > '~'))
            {
                yield return FieldError.Invalid($"{where}.name", variable.Name, "a valid environment variable name must consist of printable ASCII characters other than '='");
            }

            if (variable.ValueFrom is not { } from)
            {
                continue;
            }

            if (variable.Value is { Length: > 0 })
            {
                yield return FieldError.Invalid($"{where}.valueFrom", null, "may not be specified when `value` is not empty");
            }

            if (new object?[] { from.FieldRef, from.ResourceFieldRef, from.ConfigMapKeyRef, from.SecretKeyRef }.Count(source => source is not null) != 1)
            {
                yield return FieldError.Invalid($"{where}.valueFrom", null, "must have exactly one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef");
            }

            if (from.FieldRef?.FieldPath is { } field && !FieldPaths.Contains(field) && !IsSubscript(field))
            {
                yield return FieldError.NotSupported($"{where}.valueFrom.fieldRef.fieldPath", field, FieldPaths);
            }

            if ((from.ConfigMapKeyRef is { } map && string.IsNullOrEmpty(map.Name)) || (from.SecretKeyRef is { } secret && string.IsNullOrEmpty(secret.Name)))
            {
                yield return FieldError.Required($"{where}.valueFrom.{(from.ConfigMapKeyRef is null ? "secretKeyRef" : "configMapKeyRef")}.name", "the object's name");
            }
        }

        for (var index = 0; index < container.EnvFrom.Count; index++)
        {
            var source = container.EnvFrom[index];
            if (source.ConfigMapRef is null == source.SecretRef is null)
            {
                yield return FieldError.Invalid($"{path}.envFrom[{index}]", null, "must have exactly one of configMapRef and secretRef");
            }
        }
    }

    private static bool IsSubscript(string field) =>
        (field.StartsWith("metadata.labels['", StringComparison.Ordinal) || field.StartsWith("metadata.annotations['", StringComparison.Ordinal)) && field.EndsWith("']", StringComparison.Ordinal);

    private static IEnumerable<FieldError> ValidateMounts(Container container, string path, HashSet<string> volumes)
    {
        for (var index = 0; index < container.VolumeMounts.Count; index++)
        {
            var (mount, where) = (container.VolumeMounts[index], $"{path}.volumeMounts[{index}]");
            if (!volumes.Contains(mount.Name))
            {
                yield return new FieldError(FieldErrorKind.Invalid, $"{where}.name", "must be the name of one of the pod's volumes", mount.Name);
            }

            if (mount.MountPath.Length == 0 || mount.MountPath.Contains(':', StringComparison.Ordinal) || mount.MountPath.Split('/').Contains(".."))
            {
                yield return FieldError.Invalid($"{where}.mountPath", mount.MountPath, "must be a path in the container, without ':' and '..'");
            }

            foreach (var (field, inside) in new[] { ("subPath", mount.SubPath), ("subPathExpr", mount.SubPathExpr) })
            {
                if (inside is { Length: > 0 } && PodVolumeRules.CheckInside(inside) is { } wrong)
                {
                    yield return FieldError.Invalid($"{where}.{field}", inside, wrong);
                }
            }

            if (mount is { SubPath.Length: > 0, SubPathExpr.Length: > 0 })
            {
                yield return FieldError.Invalid($"{where}.subPathExpr", mount.SubPathExpr, "subPathExpr and subPath are mutually exclusive");
            }

            if (mount.MountPropagation == "Bidirectional" && container.SecurityContext?.Privileged != true)
            {
                yield return FieldError.Forbidden($"{where}.mountPropagation", "Bidirectional mount propagation is available only to privileged containers");
            }
        }
    }

    private static IEnumerable<FieldError> ValidateResources(ContainerResources? resources, string path)
    {
        foreach (var (field, amounts) in new[] { ("limits", resources?.Limits), ("requests", resources?.Requests) })
        {
            foreach (var (name, amount) in amounts ?? Quantities.None)
            {
                if (amount.Value < 0)
                {
                    yield return FieldError.Invalid($"{path}.{field}[{name}]", amount.ToString(), "must be greater than or equal to 0");
                }

                if (Names.CheckQualifiedName(name) is { } wrong)
                {
                    yield return FieldError.Invalid($"{path}.{field}[{name}]", name, wrong);
                }
            }
        }

        foreach (var (name, request) in resources?.Requests ?? Quantities.None)
        {
            if (resources!.Limits.TryGetValue(name, out var limit) && request > limit)
            {
                yield return FieldError.Invalid($"{path}.requests[{name}]", request.ToString(), $"must be less than or equal to {name} limit of {limit}");
            }
        }
    }

    private static IEnumerable<FieldError> ValidateContext(SecurityContext? context, string path)
    {
        foreach (var (field, id) in new[] { ("runAsUser", context?.RunAsUser), ("runAsGroup", context?.RunAsGroup) })
        {
            if (id is < 0 or > int.MaxValue)
            {
                yield return FieldError.Invalid($"{path}.{field}", id, "must be between 0 and 2147483647, inclusive");
            }
        }

        if (context is { Privileged: true, AllowPrivilegeEscalation: false })
        {
            yield return FieldError.Invalid($"{path}.allowPrivilegeEscalation", false, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }

        if (context?.SeccompProfile is { } profile && profile.Type == "Localhost" != profile.LocalhostProfile is { Length: > 0 })
        {
            yield return FieldError.Invalid($"{path}.seccompProfile.localhostProfile", profile.LocalhostProfile, "must be set for type Localhost, and for no other");
        }
    }

    private static IEnumerable<FieldError> ValidateProbe(Probe? probe, string path, bool isReadiness)
    {
        if (probe is null)
        {
            yield break;
        }

        if (new object?[] { probe.Exec, probe.HttpGet, probe.TcpSocket, probe.Grpc }.Count(way => way is not null) != 1)
        {
            yield return FieldError.Required(path, "must specify exactly one handler type: exec, httpGet, tcpSocket or grpc");
        }

        foreach (var (field, value) in new[]
        {
            ("initialDelaySeconds", probe.InitialDelaySeconds), ("timeoutSeconds", probe.TimeoutSeconds), ("periodSeconds", probe.PeriodSeconds),
            ("successThreshold", probe.SuccessThreshold), ("failureThreshold", probe.FailureThreshold),
        })
        {
            if (value is < 0)
            {
                yield return FieldError.Invalid($"{path}.{field}", value, "must be greater than or equal to 0");
            }
        }

        if (!isReadiness && probe.SuccessThreshold is > 1)
        {
            yield return FieldError.Invalid($"{path}.successThreshold", probe.SuccessThreshold, "must be 1");
        }

        foreach (var error in ValidateTarget(probe.HttpGet?.Port ?? probe.TcpSocket?.Port, probe.HttpGet is null ? $"{path}.tcpSocket.port" : $"{path}.httpGet.port")
            .Concat(probe.Grpc is { } grpc && CheckPort(grpc.Port) is { } wrong ? [FieldError.Invalid($"{path}.grpc.port", grpc.Port, wrong)] : [])
            .Concat(probe.Exec is { Command.Count: 0 } ? [FieldError.Required($"{path}.exec.command", "the command")] : []))
        {
            yield return error;
        }
    }

    private static IEnumerable<FieldError> ValidateHook(LifecycleHandler? hook, string path)
    {
        if (hook is null)
        {
            return [];
        }

        var ways = new object?[] { hook.Exec, hook.HttpGet, hook.TcpSocket, hook.Sleep }.Count(way => way is not null);
        return ways != 1 ? [FieldError.Required(path, "must specify exactly one handler type: exec, httpGet or sleep")]
            : hook.Exec is { Command.Count: 0 } ? [FieldError.Required($"{path}.exec.command", "the command")]
            : hook.Sleep is { Seconds: < 0 } ? [FieldError.Invalid($"{path}.sleep.seconds", hook.Sleep.Seconds, "must be greater than or equal to 0")]
            : ValidateTarget(hook.HttpGet?.Port, $"{path}.httpGet.port");
    }

    private static IEnumerable<FieldError> ValidateTarget(IntOrText? port, string path) =>
        port is { } target && (target.IsNumber ? CheckPort(target.Number) : CheckPortName(target.Text!)) is { } wrong ? [FieldError.Invalid(path, target.ToString(), wrong)] : [];

    public static string? CheckPort(int port) => port is < 1 or > PortMax ? "must be between 1 and 65535, inclusive" : null;

    public static string? CheckPortName(string name) =>
        name.Length is 0 or > PortNameLengthMax ? $"must be no more than {PortNameLengthMax} characters"
        : name.Any(char.IsAsciiLetterLower) && !name.Contains("--", StringComparison.Ordinal) && Names.CheckDnsLabel(name) is null ? null
        : "must contain only alpha-numeric characters (a-z, 0-9), and hyphens, at least one letter, no two hyphens in a row";
}
