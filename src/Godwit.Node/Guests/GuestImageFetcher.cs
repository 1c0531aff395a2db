using Godwit.Api.Core.V1;
using Godwit.Api.KubeVirt.V1;
using Godwit.Base;
using Godwit.Client;
using Godwit.Images;
using Godwit.Node.Pods;
using Godwit.Node.Pulling;
using Godwit.Oci.Distribution;
using Microsoft.Extensions.Logging;

namespace Godwit.Node.Guests;

/// <summary>Fetches the files that a guest has of images. What was got before a failure is let go of again.</summary>
internal sealed partial class GuestImageFetcher(ImagePlaces places, ResourceClient<Secret> secrets, ILogger logger)
{
    private readonly ImageFileTaker taker = new(places.Images, places.Files);

    /// <summary>By the names that the guest's object has, as their policies say.</summary>
    /// <exception cref="GuestImageException">One of them cannot be had.</exception>
    public async Task<IReadOnlyList<FetchedFile>> FetchAsync(string space, IReadOnlyList<GuestImageWish> wishes, CancellationToken stopping)
    {
        var fetched = new List<FetchedFile>();
        try
        {
            // An image of several files is asked for once: between two answers its name may come to mean another.
            foreach (var image in wishes.GroupBy(wish => (wish.Image, wish.Pull)))
            {
                var stored = await EnsureAsync(space, image.Key.Image, image.Key.Pull, stopping);
                foreach (var wish in image)
                {
                    fetched.Add(await taker.TakeAsync(stored, wish, stopping));
                }
            }

            return fetched;
        }
        catch
        {
            fetched.ForEach(each => each.Lease.Dispose());
            throw;
        }
    }

    /// <summary>Just those that a guest has elsewhere; those that it can do without may be missing.</summary>
    /// <exception cref="GuestImageException">One that is needed cannot be had, or is another.</exception>
    public async Task<IReadOnlyList<FetchedFile>> FetchAsAsync(
        string space, IReadOnlyList<(GuestImageFile File, GuestImageWish Wish)> wanted, Func<GuestImageFile, bool> isNeeded, CancellationToken stopping)
    {
        var fetched = new List<FetchedFile>();
        try
        {
            foreach (var (file, wish) in wanted)
            {
                try
                {
                    fetched.Add(await FindAsync(space, file, wish, stopping));
                }
                catch (GuestImageException error) when (!isNeeded(file))
                {
                    Log.GoesWithout(logger, file.ToString(), ErrorChain.Describe(error));
                }
            }

            return fetched;
        }
        catch
        {
            fetched.ForEach(each => each.Lease.Dispose());
            throw;
        }
    }

    private async Task<FetchedFile> FindAsync(string space, GuestImageFile file, GuestImageWish wish, CancellationToken stopping)
    {
        if (places.Files.Find(file.Digest) is not { } here)
        {
            return await TakeAsAsync(space, file, wish, stopping);
        }

        try
        {
            return new FetchedFile(ImageFileTaker.Check(file, here.Path), here); // What it is, this node sees for itself.
        }
        catch
        {
            here.Dispose();
            throw;
        }
    }

    private async Task<FetchedFile> TakeAsAsync(string space, GuestImageFile file, GuestImageWish wish, CancellationToken stopping)
    {
        var pull = wish.Pull.Policy == "Never" ? wish.Pull : wish.Pull with { Policy = "IfNotPresent" };
        var stored = places.Images.Store.Find(file.ImageId) ?? await EnsureAsync(space, file.PullName is { } byDigest && IsOf(byDigest, wish.Image) ? byDigest : wish.Image, pull, stopping);
        var taken = await taker.TakeAsync(stored, wish with { Path = file.Path }, stopping);
        if (taken.File.Digest != file.Digest)
        {
            taken.Lease.Dispose();
            throw new GuestImageException("InvalidImage", $"{file} is another here ({stored.Id}) than the one that the guest began with ({file.ImageId})");
        }

        return taken;
    }

    /// <summary>A source may say which image of a repository it is, and not which repository.</summary>
    private bool IsOf(string byDigest, string name)
    {
        try
        {
            var given = places.Images.Store.ParseReference(byDigest);
            return given.Digest is not null && ImageFileTaker.IsOfOneRepository(given, places.Images.Store.ParseReference(name));
        }
        catch (ImageException)
        {
            return false;
        }
    }

    private async Task<StoredImage> EnsureAsync(string space, string image, ImagePull pull, CancellationToken stopping)
    {
        try
        {
            return GuestImageNames.IsPulled(image)
                ? await places.Images.EnsureAsync(image, pull.Policy, (reference, ending) => FindCredentialsAsync(space, pull.Secret, reference, ending), stopping)
                : await places.Images.LoadLayoutAsync(places.Folder.FindLayout(image) ?? throw new GuestImageException("ErrImageNeverPull", $"There is no image '{image}' in {places.Folder.Folder}"), stopping);
        }
        catch (ImageUnavailableException unavailable)
        {
            throw new GuestImageException(unavailable.Reason, unavailable.Message, unavailable.InnerException);
        }
        catch (ImageException closed)
        {
            throw new GuestImageException("ErrImagePull", $"The node's images cannot be used: {ErrorChain.Describe(closed)}", closed);
        }
    }

    private async Task<RegistryCredentials> FindCredentialsAsync(string space, string? name, Oci.ImageReference reference, CancellationToken stopping)
    {
        if (string.IsNullOrEmpty(name))
        {
            return new RegistryCredentials();
        }

        var secret = await secrets.FindAsync(new ResourceKey(space, name), stopping)
            ?? throw new GuestImageException("ErrImagePull", $"The Secret {space}/{name}, named by imagePullSecret, does not exist");
        return PodImages.ReadCredentials(secret, reference.Registry)
            ?? throw new GuestImageException("ErrImagePull", $"The Secret {space}/{name}, named by imagePullSecret, has nothing for the registry {reference.Registry ?? "that names without one mean"}");
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2152, Level = LogLevel.Information, Message = "A guest that is to come brings {File} along, because it cannot be had here: {Reason}")]
        public static partial void GoesWithout(ILogger logger, string file, string reason);
    }
}
