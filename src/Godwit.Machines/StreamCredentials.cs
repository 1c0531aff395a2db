using System.Text;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Machines;

/// <summary>What one QEMU needs to speak TLS with one other and with nobody else; PEM. Never logged.</summary>
/// <param name="Authority">The certificate that signed both ends' and no third.</param>
/// <param name="Certificate">This end's.</param>
/// <param name="Key">This end's, PKCS #8.</param>
/// <param name="PeerName">The name that the listening end's certificate carries.</param>
public sealed record StreamCredentials(string Authority, string Certificate, string Key, string PeerName)
{
    public override string ToString() => $"credentials for {PeerName}";
}

/// <summary>
/// Gives a key to a QEMU by the only way it takes one: files, in a folder that root owns and the machine's group may
/// read, so that nothing the machine's user does can lead the write elsewhere. They are there while QEMU reads them.
/// </summary>
internal sealed class KeyHandover(string keysFolder, uint userId)
{
    private const UnixFileMode Folders = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;
    private const UnixFileMode Files = UnixFileMode.UserRead | UnixFileMode.GroupRead;
    private const UnixFileMode Passable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Makes the folder, empty: what an agent that was killed left is removed.</summary>
    public static void Prepare(string keysFolder)
    {
        if (Directory.Exists(keysFolder))
        {
            Directory.Delete(keysFolder, recursive: true); // Root's alone to write to, so no links of others are in it.
        }

        Ownership.MakeFolder(keysFolder, Passable, new ProcessUser(0, 0));
    }

    /// <param name="credentials">What is handed over.</param>
    /// <param name="role">QEMU's word in the files' names: <c>server</c> or <c>client</c>.</param>
    /// <param name="read">Has QEMU read the folder, and returns when it has.</param>
    public async Task HandOverAsync(StreamCredentials credentials, string role, Func<string, Task> read)
    {
        var reader = new ProcessUser(0, userId);
        var folder = Path.Combine(keysFolder, Guid.NewGuid().ToString("N"));
        try
        {
            Ownership.MakeFolder(folder, Folders, reader);
            DurableFile.Write(Path.Combine(folder, "ca-cert.pem"), Encoding.UTF8.GetBytes(credentials.Authority), Files, reader);
            DurableFile.Write(Path.Combine(folder, $"{role}-cert.pem"), Encoding.UTF8.GetBytes(credentials.Certificate), Files, reader);
            DurableFile.Write(Path.Combine(folder, $"{role}-key.pem"), Encoding.UTF8.GetBytes(credentials.Key), Files, reader);
            await read(folder);
        }
        finally
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
