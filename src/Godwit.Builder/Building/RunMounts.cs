using System.Text;
using Godwit.Builder.Contexts;
using Godwit.Builder.Dockerfiles;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Builder.Building;

/// <summary>
/// The mounts of one RUN: found, made and taken away again. A cache is a folder of the builder's that outlives the build; a
/// secret is a file in memory, for the time of the step, that no layer, key or log ever has.
/// </summary>
internal sealed class RunMounts(string folder) : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> held = [];
    private readonly List<string> digests = [];
    private string? secrets;

    /// <summary>What the mounts' contents add to the step's key: of what is bound, never of caches or secrets.</summary>
    public IReadOnlyList<string> Digests => digests;

    public async Task<IReadOnlyList<StepMount>> PrepareAsync(Step.Run step, StageBuilder stage, CancellationToken stopping)
    {
        var mounts = new List<StepMount>();
        foreach (var mount in step.Mounts)
        {
            var prepared = mount.Kind switch
            {
                RunMountKind.Cache => Cache(mount, stage.Expand(mount.Target!, step), step),
                RunMountKind.Memory => new StepMount(null, stage.Expand(mount.Target!, step), IsReadOnly: false, mount.SizeBytes),
                RunMountKind.Secret => Secret(mount, stage, step),
                RunMountKind.Bind => await BindAsync(mount, stage, step, stopping),
                _ => throw new BuildException("RUN --mount=type=ssh is not supported: there is no agent to forward; use a secret", step.Line),
            };
            if (prepared is not null)
            {
                mounts.Add(prepared);
            }
        }

        return mounts;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var each in held)
        {
            await each.DisposeAsync();
        }

        if (secrets is not null)
        {
            Directory.Delete(secrets, recursive: true);
        }
    }

    private StepMount Cache(RunMount mount, string target, Step.Run step)
    {
        // Named by a digest: an id may have anything in it.
        var name = BuildCache.KeyOf("cache", mount.Id ?? target).Hex;
        var path = Path.Combine(folder, "caches", name);
        if (mount.Sharing == "locked" || mount.Sharing == "private")
        {
            Directory.CreateDirectory(Path.Combine(folder, "caches"));
            var taken = FileLock.TryAcquire(path + ".lock");
            held.Add(taken is null ? throw new BuildException($"the cache {mount.Id ?? target} is in use by another build, and may not be shared: try again when that has ended", step.Line) : new Held(taken));
        }

        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            using var made = HeldFolder.Open(path);
            made.SetOwner(default, mount.UserId, mount.GroupId);
            made.SetMode(mount.Mode ?? 0x1ed);
        }

        return new StepMount(path, target, mount.IsReadOnly) { HasContainerIds = true };
    }

    private StepMount? Secret(RunMount mount, StageBuilder stage, Step.Run step)
    {
        const string memory = "/dev/shm"; // On no disk, on every host.
        var id = mount.Id ?? (mount.Target is { } named ? Path.GetFileName(named) : throw new BuildException("a secret has neither id nor target", step.Line));
        if (mount.Variable is not null)
        {
            throw new BuildException("a secret as a variable (env=) is not supported: a program's environment can be read by others; mount it as a file", step.Line);
        }

        if (!stage.Secrets.TryGetValue(id, out var value))
        {
            return mount.IsRequired ? throw new BuildException($"the secret {id} is required, and the build was given none", step.Line) : null;
        }

        if (secrets is null)
        {
            secrets = Path.Combine(memory, $"godwit-secrets-{Guid.NewGuid():N}");
            Directory.CreateDirectory(secrets, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var file = BuildCache.KeyOf("secret", id, mount.Target ?? "").Hex;
        using (var place = HeldFolder.Open(secrets))
        {
            using (var handle = place.CreateFile(Encoding.ASCII.GetBytes(file)))
            {
                RandomAccess.Write(handle, value, 0);
            }

            place.SetOwner(Encoding.ASCII.GetBytes(file), mount.UserId, mount.GroupId);
            place.SetMode(Encoding.ASCII.GetBytes(file), mount.Mode ?? 0x100);
        }

        return new StepMount(Path.Combine(secrets, file), mount.Target is { } target ? stage.Expand(target, step) : $"/run/secrets/{id}", IsReadOnly: true) { HasContainerIds = true };
    }

    /// <summary>A tree that the step sees. What it writes there goes nowhere: it is bound read-only.</summary>
    private async Task<StepMount> BindAsync(RunMount mount, StageBuilder stage, Step.Run step, CancellationToken stopping)
    {
        if (!mount.IsReadOnly)
        {
            throw new BuildException("RUN --mount=type=bind,rw is not supported: what is bound is only read; copy what is to be changed", step.Line);
        }

        var tree = await stage.OpenForMountAsync(mount.FromStage, step);
        held.Add(tree);
        var source = CopySources.Clean(mount.Source is { } written ? stage.Expand(written, step) : "");
        var found = new CopySources(tree.Root, step.Line).Find(source.Length == 0 ? "." : source)[0];
        digests.Add(Images.Tar.TreeCopy.Digest(tar => new CopySources(tree.Root, step.Line).Pack(found, "bound", tar, new Images.Tar.PackOptions { Change = entry => entry with { Modified = default } }, stopping)).ToString());

        // The way was resolved inside the tree, links and all: nobody changes the tree while the build runs.
        return new StepMount(Path.Combine(tree.Layer?.RootPath ?? stage.ContextFolder, found.Path), stage.Expand(mount.Target!, step), IsReadOnly: true) { HasContainerIds = tree.Layer is null };
    }

    private sealed class Held(FileLock taken) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            taken.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
