using Godwit.Store.Tests;
using Xunit.MicrosoftTestingPlatform;

if (args is [KilledWriter.Argument, var storePath])
{
    return await KilledWriter.RunAsync(storePath);
}

return await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
