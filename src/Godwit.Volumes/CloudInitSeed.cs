using System.Text;

namespace Godwit.Volumes;

/// <summary>What cloud-init's NoCloud source reads: <c>user-data</c>, <c>meta-data</c>, and <c>network-config</c> where given.</summary>
public sealed record CloudInitData(string InstanceId, string HostName, string UserData, string? NetworkData);

/// <summary>
/// The seed disk of cloud-init's NoCloud source: a small ISO 9660 file system with the label <c>cidata</c>. The same data
/// give the same bytes, so a move's target makes its own copy and the guest sees no other disk.
/// <para>Made by xorriso: alive (genisoimage has not been for years), in Debian, and an ISO needs no mount and no root.</para>
/// </summary>
public sealed class CloudInitSeed(TimeProvider clock)
{
    /// <summary>For each part; Kubernetes keeps whole objects below this.</summary>
    public const int PartBytesMax = 1 << 20;

    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes the seed, replacing one that is there.</summary>
    /// <param name="path">The seed, absolute, in a folder that only its machine reads: user data hold secrets.</param>
    /// <param name="data">What to say to cloud-init.</param>
    /// <param name="stopping">Ends xorriso; no seed is left behind.</param>
    public async Task<DiskImage> CreateAsync(string path, CloudInitData data, CancellationToken stopping)
    {
        var parts = new List<(string Name, string Text)>
        {
            ("meta-data", $"instance-id: {Scalar(data.InstanceId)}\nlocal-hostname: {Scalar(data.HostName)}\n"),
            ("user-data", data.UserData),
        };
        if (data.NetworkData is { } network)
        {
            parts.Add(("network-config", network));
        }

        var bytes = parts.Sum(part => (long)Encoding.UTF8.GetByteCount(part.Text));
        foreach (var (name, text) in parts)
        {
            if (Encoding.UTF8.GetByteCount(text) > PartBytesMax)
            {
                throw new VolumeException($"cloud-init's {name} is longer than {PartBytesMax} bytes.");
            }
        }

        DiskSpace.Require(Path.GetDirectoryName(path)!, (2 * bytes) + (1 << 20), "the cloud-init seed");
        var source = path + ".parts";
        var temporary = path + ".new";
        try
        {
            Directory.CreateDirectory(source, Private | UnixFileMode.UserExecute);
            foreach (var (name, text) in parts)
            {
                await WriteAsync(Path.Combine(source, name), text, stopping);
            }

            await WriteAsync(temporary, "", stopping);
            await Tool.RunAsync(
                "xorriso", "xorriso",
                [
                    "-as", "mkisofs", "-quiet", "-output", temporary, "-volid", "cidata", "-joliet", "-rock", "-uid", "0", "-gid", "0", "--modification-date=1970010100000000", source, "--",

                    // Every date that is not said is that of the making: of the volume, of each file, of the folder, of their last change.
                    "-volume_date", "all_file_dates", "set_to_mtime", "-alter_date_r", "b-c", "=0", "/", "--", "-alter_date_r", "c", "=0", "/", "--",
                ],
                clock,
                stopping);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or VolumeException)
        {
            throw new VolumeException($"cannot make the cloud-init seed {path}", error);
        }
        finally
        {
            File.Delete(temporary);
            if (Directory.Exists(source))
            {
                Directory.Delete(source, recursive: true);
            }
        }

        return new DiskImage(path, DiskFormat.Raw, new FileInfo(path).Length);
    }

    private static async Task WriteAsync(string path, string text, CancellationToken stopping)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = Private };
        await using (var file = new FileStream(path, options))
        {
            await file.WriteAsync(Encoding.UTF8.GetBytes(text), stopping);
        }

        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch);
    }

    /// <summary>A YAML scalar in double quotes, whatever the text.</summary>
    private static string Scalar(string text) =>
        "\"" + string.Concat(text.Select(each => each is '"' or '\\' ? $"\\{each}" : char.IsControl(each) ? "?" : each.ToString())) + "\"";
}
