namespace Godwit.DockerApi.Mapping;

/// <summary>A file's mode in the bits of Go's <c>io/fs.FileMode</c>, which clients expect. Source: that package's documentation.</summary>
internal static class GoFileMode
{
    private const uint KindMask = 0xF000;
    private const uint Permissions = 0x1FF;

    /// <param name="mode">As inode(7) has it.</param>
    public static uint Of(uint mode) => (mode & Permissions)
        | ((mode & KindMask) switch
        {
            0x4000 => 1u << 31, // Folder.
            0xA000 => 1u << 27, // Symbolic link.
            0x6000 => 1u << 26, // Block device.
            0x2000 => (1u << 26) | (1u << 21), // Character device.
            0x1000 => 1u << 25, // Pipe.
            0xC000 => 1u << 24, // Socket.
            _ => 0,
        })
        | ((mode & 0x800) != 0 ? 1u << 23 : 0)
        | ((mode & 0x400) != 0 ? 1u << 22 : 0)
        | ((mode & 0x200) != 0 ? 1u << 20 : 0);
}
