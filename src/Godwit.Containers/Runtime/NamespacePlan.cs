using System.Globalization;
using Godwit.Linux.Processes;
using Godwit.Oci.Runtime;

namespace Godwit.Containers.Runtime;

/// <summary>Which namespaces a container gets: new ones, others', or, where none is named, the host's.</summary>
internal static class NamespacePlan
{
    /// <param name="spec">What is asked for.</param>
    /// <param name="networkPath">The network namespace's path; null is the host's.</param>
    /// <param name="owner">The user namespace; null is the host's.</param>
    /// <param name="parts">To find other containers.</param>
    internal static IReadOnlyList<RuntimeNamespace> Build(ContainerSpec spec, string? networkPath, UserNamespace? owner, EngineParts parts)
    {
        var isolation = spec.Isolation;
        var spaces = new List<RuntimeNamespace> { new("mount") };
        if (owner is not null)
        {
            spaces.Add(new("user", owner.PathForOthers));
        }

        if (networkPath is not null)
        {
            spaces.Add(new("network", networkPath));
        }

        Add("pid", isolation.ProcessNamespace);
        Add("ipc", isolation.IpcNamespace);
        // In the host's network a container has the host's name too, unless it has one of its own.
        Add("uts", isolation.HostNameNamespace is NamespaceSpec.Private && spec.Network.Mode is NetworkMode.Host && spec.HostName is null ? NamespaceSpec.Host : isolation.HostNameNamespace);
        if (parts.Host.ControlGroupVersion == 2)
        {
            spaces.Add(new("cgroup"));
        }

        return spaces;

        void Add(string type, NamespaceSpec wanted)
        {
            switch (wanted)
            {
                case NamespaceSpec.Private:
                    spaces.Add(new(type));
                    break;
                case NamespaceSpec.OfContainer other:
                    var process = parts.Find(other.Container).RequireAlive($"share its {type} namespace").ProcessId;
                    UserNamespaces.RequireSame(owner, process, other.Container);
                    spaces.Add(new(type, string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/ns/{type}")));
                    break;
                case NamespaceSpec.OfSandbox:
                    var sandbox = parts.FindSandbox(spec.Network.Sandbox);
                    var file = type switch
                    {
                        "ipc" => sandbox.CommunicationFile,
                        "uts" => sandbox.HostNameFile,
                        _ => throw new InvalidRequestException($"a sandbox has no {type} namespace to share"),
                    };
                    if (file is not null)
                    {
                        spaces.Add(new(type, file));
                    }

                    break;
            }
        }
    }
}
