using Godwit.Base;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Peers;
using Godwit.Volumes;

namespace Godwit.Node.Migrations;

/// <summary>A disk that stays where it is, because the target sees it too: what the source asks.</summary>
/// <param name="Name">The user's, for words.</param>
/// <param name="Path">As the guest's object names it, the same on both hosts.</param>
/// <param name="View">As the source sees it; null: it lies on no marked storage.</param>
/// <param name="Proof">The name of what the source has put beside it just now; null: nothing.</param>
internal sealed record AskedSharedDisk(string Name, string Path, SharedDiskView? View, string? Proof);

internal sealed record SharedDiskQuestion(IReadOnlyList<AskedSharedDisk> Disks);

/// <param name="Proofs">For each disk what the target has read; empty where there was nothing.</param>
/// <param name="Refusal">Which disk the target does not see, and why; null: it sees all.</param>
internal sealed record SharedDiskAnswer(IReadOnlyList<string> Proofs, string? Refusal);

/// <summary>
/// Whether the target sees the very disks that a guest has on shared storage, asked before anything is touched. Neither the path nor a marker is
/// enough: two hosts may have different disks at one path, and a storage may be a copy of another, marker and all. So both look at the file (its place
/// on the storage, its inode), and the target must read what the source wrote there a moment ago.
/// </summary>
internal sealed class SharedDisks(MoveParts parts)
{
    /// <exception cref="MoveRefusedException">A disk is not shared with the target, and why.</exception>
    public async Task RequireAsync(GuestBlueprint blueprint, PeerEndpoint target, CancellationToken stopping)
    {
        var proofs = new List<StorageProof>();
        try
        {
            var asked = new List<AskedSharedDisk>();
            var secrets = new List<string>();
            foreach (var disk in blueprint.Disks)
            {
                if (disk.Source is DiskSource.HostFile file)
                {
                    var proof = StorageIdentity.Find(file.Path)?.Prove();
                    proofs.AddRange(proof is null ? [] : [proof]);
                    secrets.Add(proof?.Secret ?? "");
                    asked.Add(new(disk.Name, file.Path, StorageIdentity.View(file.Path), proof?.Name));
                }
            }

            if (asked.Count > 0)
            {
                var answer = await parts.Links.RequestAsync(target, MoveMethods.SharedDisks, new SharedDiskQuestion(asked), stopping);
                if (FindRefusal(asked, secrets, answer, target.Node) is { } refusal)
                {
                    throw new MoveRefusedException(refusal);
                }
            }
        }
        catch (VolumeException error)
        {
            throw new MoveRefusedException($"{ObstacleWord}: {ErrorChain.Describe(error)}");
        }
        catch (Exception error) when (error is PeerException or PeerRefusedException)
        {
            throw new MoveRefusedException($"the agent of {target.Node} was asked whether it sees the guest's disks, and did not say: {ErrorChain.Describe(error)}");
        }
        finally
        {
            proofs.ForEach(proof => proof.Dispose());
        }
    }

    /// <summary>The target's side.</summary>
    public SharedDiskAnswer Answer(SharedDiskQuestion question)
    {
        var read = new List<string>();
        foreach (var disk in question.Disks)
        {
            try
            {
                parts.Builder.RequireHostDisk(disk.Path);
                if (SharedDiskView.FindDifference(disk.View, StorageIdentity.View(disk.Path)) is { } difference)
                {
                    return new([], Refused(disk.Name, difference));
                }

                read.Add(disk.Proof is null ? "" : StorageIdentity.Find(disk.Path)?.ReadProof(disk.Proof) ?? "");
            }
            catch (VolumeException error)
            {
                return new([], Refused(disk.Name, ErrorChain.Describe(error)));
            }
        }

        return new(read, null);
    }

    /// <summary>The scheduler's word for the same obstacle.</summary>
    internal const string ObstacleWord = "DiskNotShared";

    /// <summary>Pure. Null: the target sees each of the disks.</summary>
    internal static string? FindRefusal(IReadOnlyList<AskedSharedDisk> asked, IReadOnlyList<string> secrets, SharedDiskAnswer answer, NodeName target)
    {
        if (answer.Refusal is not null || answer.Proofs.Count != asked.Count)
        {
            return answer.Refusal ?? $"{target} did not answer for every disk on shared storage";
        }

        for (var index = 0; index < asked.Count; index++)
        {
            if (secrets[index].Length == 0 || answer.Proofs[index] != secrets[index])
            {
                return $"{ObstacleWord}: {target} has a disk like {asked[index].Name} at {asked[index].Path}, but does not see what the source has just written beside it: it is a copy, or another storage";
            }
        }

        return null;
    }

    private string Refused(string disk, string why) => $"{ObstacleWord}: {parts.Node} does not see the disk {disk}: {why}";
}
