using System.Text.Json.Serialization;

namespace Godwit.Containers;

/// <summary>Something other than the image's files at a place in the container.</summary>
/// <param name="Target">An absolute path in the container.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Bind), "bind")]
[JsonDerivedType(typeof(Volume), "volume")]
[JsonDerivedType(typeof(Memory), "memory")]
public abstract record MountSpec(string Target)
{
    public bool ReadOnly { get; init; }

    /// <summary>A place of the host.</summary>
    public sealed record Bind(string Source, string Target) : MountSpec(Target)
    {
        public MountPropagation Propagation { get; init; } = MountPropagation.RecursivePrivate;

        /// <summary>Make a folder where the host has nothing; otherwise that is an error.</summary>
        public bool MakesSource { get; init; }

        /// <summary>Leaves out what is mounted below the source.</summary>
        public bool NonRecursive { get; init; }

        /// <summary>Its files lie there under the ids that the container knows, as a volume's do; otherwise they are the host's.</summary>
        public bool HasContainerIds { get; init; }
    }

    /// <summary>A named volume, made when it is not there.</summary>
    public sealed record Volume(string Name, string Target) : MountSpec(Target)
    {
        /// <summary>Made for this container; removed with it when its remover asks for that.</summary>
        public bool Anonymous { get; init; }

        /// <summary>An empty volume is not filled with what the image has at this place.</summary>
        public bool NoCopy { get; init; }

        /// <summary>A folder inside the volume; empty is the whole.</summary>
        public string SubPath { get; init; } = "";
    }

    /// <summary>Memory, gone when the container stops.</summary>
    public sealed record Memory(string Target) : MountSpec(Target)
    {
        public long? SizeBytes { get; init; }

        /// <summary>Permission bits of its top folder, such as octal 1777.</summary>
        public int Mode { get; init; } = 0b1_111_111_111;

        /// <summary>Options of tmpfs(5) beside size and mode.</summary>
        public IReadOnlyList<string> Options { get; init; } = [];
    }
}

/// <summary>Whether mounts made on one side of a bind mount are seen on the other (mount_namespaces(7)).</summary>
public enum MountPropagation
{
    RecursivePrivate,
    Private,
    RecursiveSlave,
    Slave,
    RecursiveShared,
    Shared,
}
