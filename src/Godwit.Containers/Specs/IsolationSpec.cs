namespace Godwit.Containers;

/// <summary>What stands between a container and its host.</summary>
public sealed record IsolationSpec
{
    /// <summary>All capabilities, all devices, nothing masked, no system call filter.</summary>
    public bool Privileged { get; init; }

    /// <summary>With or without <c>CAP_</c>; <c>ALL</c> means all.</summary>
    public IReadOnlyList<string> CapabilitiesAdded { get; init; } = [];

    public IReadOnlyList<string> CapabilitiesDropped { get; init; } = [];

    /// <summary>No program can gain privileges, whatever bits its file has.</summary>
    public bool NoNewPrivileges { get; init; }

    public bool ReadOnlyRoot { get; init; }

    public SystemCallFilter SystemCalls { get; init; } = new SystemCallFilter.Standard();

    /// <summary>Paths that show nothing; null is the standard list.</summary>
    public IReadOnlyList<string>? MaskedPaths { get; init; }

    /// <summary>Paths that cannot be written; null is the standard list.</summary>
    public IReadOnlyList<string>? ReadOnlyPaths { get; init; }

    /// <summary>Kernel settings of its own namespaces (sysctl(8)).</summary>
    public IReadOnlyDictionary<string, string> KernelSettings { get; init; } = ContainerSpec.Empty;

    public IReadOnlyList<DeviceSpec> Devices { get; init; } = [];

    /// <summary>Rules of the device cgroup: <c>c 1:3 rwm</c>.</summary>
    public IReadOnlyList<string> DeviceRules { get; init; } = [];

    public NamespaceSpec ProcessNamespace { get; init; } = NamespaceSpec.Own;

    public NamespaceSpec IpcNamespace { get; init; } = NamespaceSpec.Own;

    public NamespaceSpec HostNameNamespace { get; init; } = NamespaceSpec.Own;

    /// <summary>Its users are others on the host: those of the engine's <see cref="EngineOptions.UserIds"/>. If not, its root is the host's root, less its capabilities.</summary>
    public bool HasUserNamespace { get; init; }

    /// <summary>A small first process that ends orphans and passes signals on.</summary>
    public bool InitProcess { get; init; }

    /// <summary>Size of <c>/dev/shm</c>.</summary>
    public long SharedMemoryBytes { get; init; } = 64L << 20;

    /// <summary>The cgroup to make the container's in; null is the engine's.</summary>
    public string? ParentControlGroup { get; init; }
}

/// <summary>Which system calls fail in a container.</summary>
[System.Text.Json.Serialization.JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(Standard), "standard")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(None), "none")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(Custom), "custom")]
public abstract record SystemCallFilter
{
    private SystemCallFilter()
    {
    }

    /// <summary>The engine's own list.</summary>
    public sealed record Standard : SystemCallFilter;

    /// <summary>None does.</summary>
    public sealed record None : SystemCallFilter;

    /// <summary>The user's list, in the JSON form that Docker reads.</summary>
    public sealed record Custom(string Profile) : SystemCallFilter;
}

/// <summary>Where a container's namespace of some kind comes from.</summary>
[System.Text.Json.Serialization.JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(Private), "private")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(OfHost), "host")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(OfContainer), "container")]
[System.Text.Json.Serialization.JsonDerivedType(typeof(OfSandbox), "sandbox")]
public abstract record NamespaceSpec
{
    private NamespaceSpec()
    {
    }

    public static NamespaceSpec Own { get; } = new Private();

    public static NamespaceSpec Host { get; } = new OfHost();

    /// <summary>Made for it.</summary>
    public sealed record Private : NamespaceSpec;

    /// <summary>The host's.</summary>
    public sealed record OfHost : NamespaceSpec;

    /// <summary>That of another container, by id or name, which must run when this one starts.</summary>
    public sealed record OfContainer(string Container) : NamespaceSpec;

    /// <summary>That of the sandbox that the container is in; not for processes.</summary>
    public sealed record OfSandbox : NamespaceSpec;
}

/// <summary>A device of the host inside the container.</summary>
/// <param name="Access">Letters of <c>r</c>, <c>w</c>, <c>m</c> (make).</param>
public sealed record DeviceSpec(string HostPath, string Path, string Access = "rwm");
