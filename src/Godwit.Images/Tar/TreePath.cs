using System.Text;

namespace Godwit.Images.Tar;

/// <summary>A member's name as the way to go from the archive's root: <c>/a/./b/</c> and <c>a/b</c> are the same.</summary>
internal static class TreePath
{
    /// <summary>The way in its plain form, without slashes at either end; empty for the root itself.</summary>
    /// <exception cref="ImageException">It goes upwards, has a zero in it, or is longer or deeper than the limits.</exception>
    public static byte[] Normalise(ReadOnlySpan<byte> name, UnpackLimits limits)
    {
        if (name.Length > limits.PathBytesMax)
        {
            throw TarReader.Corrupt($"a name has {name.Length} bytes; at most {limits.PathBytesMax} are taken");
        }

        var plain = new byte[name.Length];
        int length = 0, depth = 0;
        foreach (var range in name.Split((byte)'/'))
        {
            var part = name[range];
            if (part.IsEmpty || part.SequenceEqual("."u8))
            {
                continue;
            }

            if (part.SequenceEqual(".."u8) || part.Contains((byte)0) || part.Length > 255)
            {
                throw TarReader.Corrupt($"the name '{Show(name)}' leads out of the archive, or is none");
            }

            if (++depth > limits.DepthMax)
            {
                throw TarReader.Corrupt($"a name is more than {limits.DepthMax} folders deep");
            }

            if (length > 0)
            {
                plain[length++] = (byte)'/';
            }

            part.CopyTo(plain.AsSpan(length));
            length += part.Length;
        }

        return plain.AsSpan(0, length).ToArray();
    }

    /// <summary>The folder's way and the last name.</summary>
    public static (ReadOnlyMemory<byte> Folder, ReadOnlyMemory<byte> Name) Split(byte[] path)
    {
        var slash = path.AsSpan().LastIndexOf((byte)'/');
        return slash < 0 ? (default, path) : (path.AsMemory(0, slash), path.AsMemory(slash + 1));
    }

    /// <summary>For messages: control characters shown as dots, and not too much of it.</summary>
    public static string Show(ReadOnlySpan<byte> name)
    {
        var text = Encoding.UTF8.GetString(name.Length <= 200 ? name : name[..200]);
        return new string([.. text.Select(letter => char.IsControl(letter) ? '·' : letter)]) + (name.Length > 200 ? "…" : "");
    }
}
